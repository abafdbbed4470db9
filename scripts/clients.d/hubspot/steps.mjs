// Drives the sandbox with the official Node client. Usage: node steps.mjs BASE_URL
import assert from 'node:assert/strict'
import { Client } from '@hubspot/api-client'

const client = new Client({ accessToken: 'sandbox-token', basePath: process.argv[2], numberOfApiCallRetries: 0 })
const crm = client.crm
const link = (id, associationTypeId) => ({
  to: { id },
  types: [{ associationCategory: 'HUBSPOT_DEFINED', associationTypeId }],
})
const refusal = async (promise) => {
  try {
    await promise
  } catch (error) {
    assert.equal(typeof error.code, 'number', `not an answer of the server: ${error}`)
    return error
  }
  assert.fail('was not refused')
}
const kept = {}

const steps = {
  'create a contact and a company': async () => {
    const contact = await crm.contacts.basicApi.create({ properties: { email: 'Node@Example.com', firstname: 'Node' }, associations: [] })
    assert.equal(contact.properties.email, 'node@example.com')
    assert.ok(contact.createdAt instanceof Date)
    kept.contact = contact.id
    kept.company = (await crm.companies.basicApi.create({ properties: { name: 'Example', domain: 'example.com' } })).id
  },
  'read by id and by address': async () => {
    const byId = await crm.contacts.basicApi.getById(kept.contact, ['firstname', 'phone'])
    assert.equal(byId.properties.firstname, 'Node')
    assert.equal(byId.properties.phone, null)
    const byAddress = await crm.contacts.basicApi.getById('NODE@example.com', undefined, undefined, undefined, false, 'email')
    assert.equal(byAddress.id, kept.contact)
  },
  'update and list': async () => {
    await crm.contacts.basicApi.update(kept.contact, { properties: { city: 'Ulm' } })
    const page = await crm.contacts.basicApi.getPage(10, undefined, ['city'])
    assert.equal(page.results.find((one) => one.id === kept.contact).properties.city, 'Ulm')
  },
  'install a unique property': async () => {
    const property = {
      name: 'node_key', label: 'Node key', type: 'string', fieldType: 'text',
      groupName: 'contactinformation', hasUniqueValue: true,
    }
    const made = await crm.properties.coreApi.create('contacts', property)
    assert.equal(made.hasUniqueValue, true)
    const again = await refusal(crm.properties.coreApi.create('contacts', property))
    assert.equal(again.code, 409)
    assert.equal(again.body.category, 'OBJECT_ALREADY_EXISTS')
  },
  'upsert a batch, partly': async () => {
    const input = (n, properties) => ({ id: `k${n}`, idProperty: 'node_key', objectWriteTraceId: `t${n}`, properties })
    const answer = await crm.contacts.batchApi.upsert({
      inputs: [input(1, { email: 'k1@example.com' }), input(2, { nonsense: 'x' }), input(3, { email: 'k3@example.com' })],
    })
    assert.equal(answer.numErrors, 1)
    assert.deepEqual(answer.errors[0].context.objectWriteTraceId, ['t2'])
    assert.deepEqual(answer.results.map((one) => one._new), [true, true])
  },
  'read a batch by the unique property': async () => {
    const answer = await crm.contacts.batchApi.read({
      idProperty: 'node_key', properties: ['email'], propertiesWithHistory: [], inputs: [{ id: 'k1' }, { id: 'gone' }],
    })
    assert.equal(answer.results[0].properties.email, 'k1@example.com')
    assert.deepEqual(answer.errors[0].context.ids, ['gone'])
  },
  'create a batch with links': async () => {
    const answer = await crm.objects.batchApi.create('emails', {
      inputs: [1, 2].map((n) => ({
        properties: { hs_timestamp: '2026-11-21T10:00:00.000Z', hs_email_direction: 'INCOMING_EMAIL', hs_email_subject: `mail ${n}` },
        associations: [link(kept.contact, 198)],
      })),
    })
    assert.equal(answer.status, 'COMPLETE')
    kept.email = answer.results.find((one) => one.properties.hs_email_subject === 'mail 1').id
    const read = await crm.objects.basicApi.getById('emails', kept.email, ['hs_email_subject'], undefined, ['contacts'])
    assert.equal(read.associations.contacts.results[0].id, kept.contact)
  },
  'associate by default and by label': async () => {
    const v4 = crm.associations.v4
    const linked = await v4.basicApi.createDefault('contacts', kept.contact, 'companies', kept.company)
    assert.equal(linked.results[0].associationSpec.associationTypeId, 279)
    const types = [{ associationCategory: 'HUBSPOT_DEFINED', associationTypeId: 1 }]
    const labelled = await v4.basicApi.create('contacts', kept.contact, 'companies', kept.company, types)
    assert.deepEqual(labelled.labels, ['Primary'])
    const page = await v4.basicApi.getPage('contacts', kept.contact, 'companies')
    assert.equal(page.results[0].toObjectId, kept.company)
    assert.equal(page.results[0].associationTypes.length, 2)
    const batch = await v4.batchApi.getPage('contacts', 'companies', { inputs: [{ id: kept.contact }] })
    assert.equal(batch.results[0].to[0].toObjectId, kept.company)
    const labels = await v4.schema.definitionsApi.getAll('contacts', 'companies')
    assert.ok(labels.results.some((one) => one.typeId === 279))
  },
  'search': async () => {
    const answer = await crm.contacts.searchApi.doSearch({
      filterGroups: [{ filters: [{ propertyName: 'email', operator: 'EQ', value: 'node@example.com' }] }],
      properties: ['email'], limit: 5,
    })
    assert.equal(answer.total, 1)
    assert.equal(answer.results[0].id, kept.contact)
  },
  'upload a private file and sign a link': async () => {
    const file = await client.files.filesApi.upload(
      { data: Buffer.from('hello'), name: 'hello.txt' }, undefined, '/clients', undefined, undefined,
      JSON.stringify({ access: 'PRIVATE' }),
    )
    assert.equal(file.access, 'PRIVATE')
    const signed = await client.files.filesApi.getSignedUrl(file.id)
    assert.equal(await (await fetch(signed.url)).text(), 'hello')
  },
  'discover pipelines, owners, properties': async () => {
    const tickets = await crm.pipelines.pipelinesApi.getAll('tickets')
    assert.equal(tickets.results[0].stages.at(-1).metadata.ticketState, 'CLOSED')
    const owners = await crm.owners.ownersApi.getPage(undefined, undefined, 100, false)
    assert.equal(owners.results[0].type, 'PERSON')
    const properties = await crm.properties.coreApi.getAll('tickets')
    assert.ok(properties.results.find((one) => one.name === 'hs_ticket_priority').options.length > 2)
  },
  'define a custom object': async () => {
    const schema = await crm.schemas.coreApi.create({
      name: 'node_mandate', labels: { singular: 'Mandate', plural: 'Mandates' }, requiredProperties: ['title'],
      primaryDisplayProperty: 'title', associatedObjects: ['CONTACT'],
      properties: [{ name: 'title', label: 'Title', type: 'string', fieldType: 'text' }],
    })
    const record = await crm.objects.basicApi.create(schema.objectTypeId, { properties: { title: 'x' }, associations: [] })
    assert.equal(record.properties.title, 'x')
  },
  'see refusals in the vendor\'s shapes': async () => {
    const conflict = await refusal(crm.contacts.basicApi.create({ properties: { email: 'node@example.com' }, associations: [] }))
    assert.equal(conflict.code, 409)
    assert.match(conflict.body.message, new RegExp(`Existing ID: ${kept.contact}`))
    const unknown = await refusal(crm.contacts.basicApi.create({ properties: { email: 'x@example.com', nope: '1' }, associations: [] }))
    assert.equal(unknown.body.errors[0].code, 'PROPERTY_DOESNT_EXIST')
    const gone = await refusal(crm.contacts.basicApi.getById('1'))
    assert.equal(gone.code, 404)
    const stranger = new Client({ accessToken: 'wrong', basePath: process.argv[2] })
    assert.equal((await refusal(stranger.crm.contacts.basicApi.getPage())).code, 401)
  },
  'archive': async () => {
    await crm.objects.batchApi.archive('emails', { inputs: [{ id: kept.email }] })
    await crm.contacts.basicApi.archive(kept.contact)
    assert.equal((await refusal(crm.contacts.basicApi.getById(kept.contact))).code, 404)
  },
}

for (const [name, run] of Object.entries(steps)) {
  try {
    await run()
    console.log(`node    ok      ${name}`)
  } catch (error) {
    console.log(`node    FAILED  ${name}`)
    console.error(error)
    process.exit(1)
  }
}
