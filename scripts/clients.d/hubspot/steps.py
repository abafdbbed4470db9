"""Drives the sandbox with the official Python client. Usage: python steps.py BASE_URL

Strict response validation is on: every answer must fit the client's own models.
"""

import json
import sys
import traceback
import urllib.request

import hubspot_sdk
from hubspot_sdk import HubSpot

BASE = sys.argv[1]
client = HubSpot(access_token="sandbox-token", base_url=BASE, max_retries=0, _strict_response_validation=True)
objects = client.crm.objects
kept = {}


def refusal(call, status):
    try:
        call()
    except hubspot_sdk.APIStatusError as error:
        assert error.status_code == status, error
        return error.body
    raise AssertionError("was not refused")


def link(to, type_id):
    return {"to": {"id": to}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}]}


def account():
    assert client.account.get().portal_id > 0


def create():
    contact = objects.contacts.create(properties={"email": "Py@Example.com", "firstname": "Py"}, associations=[])
    assert contact.properties["email"] == "py@example.com"
    kept["contact"] = contact.id
    kept["company"] = objects.companies.create(properties={"name": "Example"}, associations=[]).id


def read_and_update():
    read = objects.contacts.get("PY@example.com", id_property="email", properties=["firstname"])
    assert (read.id, read.properties["firstname"]) == (kept["contact"], "Py")
    assert objects.contacts.update(kept["contact"], properties={"city": "Ulm"}).properties["city"] == "Ulm"
    ids = [one.id for one in objects.contacts.list(limit=1, properties=["createdate"])]
    assert kept["contact"] in ids


def property_():
    new = dict(object_type="tickets", name="py_key", label="Key", type="string", field_type="text",
               group_name="ticketinformation", has_unique_value=True)
    assert client.crm.properties.create(**new).has_unique_value
    body = refusal(lambda: client.crm.properties.create(**new), 409)
    assert body["category"] == "OBJECT_ALREADY_EXISTS"


def upsert():
    def ticket(n, **properties):
        return {"id": f"k{n}", "idProperty": "py_key", "objectWriteTraceId": f"t{n}", "properties": properties}

    inputs = [ticket(n, subject=f"case {n}", hs_pipeline_stage="1") for n in (1, 2)]
    answer = objects.tickets.batch.upsert(inputs=inputs)
    assert [one.new for one in answer.results] == [True, True]
    mixed = objects.tickets.batch.upsert(inputs=[inputs[0], ticket(3, subject="no stage")])
    assert [one.new for one in mixed.results] == [False]
    assert mixed.errors[0]["context"]["objectWriteTraceId"] == ["t3"]
    kept["ticket"] = mixed.results[0].id


def batch_read():
    answer = objects.tickets.batch.get(
        id_property="py_key", properties=["subject"], properties_with_history=[], inputs=[{"id": "k1"}])
    assert answer.results[0].id == kept["ticket"]


def batch_create():
    inputs = [{"properties": {"hs_timestamp": "1795255200000", "hs_email_direction": "INCOMING_EMAIL",
                              "hs_email_headers": json.dumps({"from": {"email": "py@example.com"}})},
               "associations": [link(kept["contact"], 198), link(kept["ticket"], 224)]}]
    answer = objects.emails.batch.create(inputs=inputs)
    kept["email"] = answer.results[0].id
    read = objects.emails.get(kept["email"], properties=["hs_email_from_email"], associations=["tickets"])
    assert read.properties["hs_email_from_email"] == "py@example.com"
    assert read.associations["tickets"].results[0].id == kept["ticket"]


def associate():
    one = client.crm.associations
    ends = dict(from_object_type="tickets", to_object_type="contacts")
    made = one.batch.create_default(**ends, inputs=[{"from": {"id": kept["ticket"]}, "to": {"id": kept["contact"]}}])
    assert made.results[0].association_spec.association_type_id == 16
    one.create(kept["company"], from_object_type="contacts", from_object_id=kept["contact"], to_object_type="companies")
    labelled = one.update_labels(
        kept["company"], object_type="contacts", object_id=kept["contact"], to_object_type="companies",
        body=[{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}])
    assert labelled.labels == ["Primary"]
    read = one.batch.get(**ends, inputs=[{"id": kept["ticket"]}])
    assert read.results[0].to[0].to_object_id == kept["contact"]
    labels = client.crm.associations_schema.labels.list_labels(**ends)
    assert labels.results[0].type_id == 16


def search():
    found = objects.contacts.search(
        filter_groups=[{"filters": [{"propertyName": "email", "operator": "EQ", "value": "py@example.com"}]}],
        properties=["email"], sorts=[], limit=5, after="0")
    assert (found.total, found.results[0].id) == (1, kept["contact"])


def files():
    options = json.dumps({"access": "PRIVATE"})
    file = client.files.file_assets.upload(
        file=("hello.txt", b"hello", "text/plain"), folder_path="/clients", file_name="hello-py.txt", options=options)
    assert file.access == "PRIVATE" and file.file_md5 == "5d41402abc4b2a76b9719d911017c592"
    signed = client.files.file_assets.get_signed_url(file.id)
    assert urllib.request.urlopen(signed.url).read() == b"hello"


def discover():
    stages = client.crm.pipelines.list("deals").results[0].stages
    assert any(one.metadata["probability"] == "1.0" for one in stages)
    assert list(client.crm.owners.list(limit=100))[0].type == "PERSON"
    names = [one.name for one in client.crm.properties.list("emails").results]
    assert "hs_email_headers" in names


def custom_object():
    schema = client.crm.object_schemas.create(
        name="py_mandate", labels={"singular": "Mandate", "plural": "Mandates"}, required_properties=["title"],
        primary_display_property="title", associated_objects=["CONTACT"],
        allows_sensitive_properties=False, searchable_properties=[], secondary_display_properties=[],
        properties=[{"name": "title", "label": "Title", "type": "string", "fieldType": "text"}])
    made = objects.custom.create(schema.object_type_id, properties={"title": "x"}, associations=[])
    assert made.properties["title"] == "x"


def refusals():
    body = refusal(lambda: objects.contacts.create(properties={"email": "py@example.com"}, associations=[]), 409)
    assert body["message"].endswith(kept["contact"])
    body = refusal(lambda: objects.contacts.create(properties={"nope": "1"}, associations=[]), 400)
    assert body["errors"][0]["context"]["propertyName"] == ["nope"]
    refusal(lambda: objects.contacts.get("1"), 404)
    stranger = HubSpot(access_token="wrong", base_url=BASE, max_retries=0)
    assert refusal(lambda: stranger.account.get(), 401)["category"] == "INVALID_AUTHENTICATION"


def archive():
    objects.emails.delete(kept["email"])
    objects.contacts.gdpr_delete(object_id=kept["contact"])
    refusal(lambda: objects.contacts.get(kept["contact"]), 404)


STEPS = [
    ("read the account", account),
    ("create a contact and a company", create),
    ("read by address, update, list", read_and_update),
    ("install a unique property", property_),
    ("upsert a batch, partly", upsert),
    ("read a batch by the unique property", batch_read),
    ("create a batch with links", batch_create),
    ("associate by default and by label", associate),
    ("search", search),
    ("upload a private file and sign a link", files),
    ("discover pipelines, owners, properties", discover),
    ("define a custom object", custom_object),
    ("see refusals in the vendor's shapes", refusals),
    ("archive and erase", archive),
]

for name, run in STEPS:
    try:
        run()
        print(f"python  ok      {name}", flush=True)
    except Exception:
        print(f"python  FAILED  {name}", flush=True)
        traceback.print_exc()
        sys.exit(1)
