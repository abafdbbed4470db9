//! The vendor's error bodies: one shape for a refused request and for one refused input of a batch.

use serde_json::{Map, Value, json};

/// A refusal in the vendor's own shape.
#[derive(Clone, Debug)]
pub(crate) struct ApiError(Box<Refusal>);

#[derive(Clone, Debug)]
struct Refusal {
    status: u16,
    category: &'static str,
    sub_category: Option<&'static str>,
    message: String,
    details: Vec<Detail>,
    context: Map<String, Value>,
    extra: Map<String, Value>,
    headers: Vec<(&'static str, String)>,
}

/// One entry of `errors[]`: what is wrong with which property.
#[derive(Clone, Debug)]
pub(crate) struct Detail {
    pub(crate) code: &'static str,
    pub(crate) property: String,
    pub(crate) message: String,
}

impl ApiError {
    pub(crate) fn new(status: u16, category: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Refusal {
            status,
            category,
            sub_category: None,
            message: message.into(),
            details: Vec::new(),
            context: Map::new(),
            extra: Map::new(),
            headers: Vec::new(),
        }))
    }

    pub(crate) fn status(&self) -> u16 {
        self.0.status
    }

    /// Headers that go with the refusal.
    pub(crate) fn headers(&self) -> Vec<(&'static str, String)> {
        self.0.headers.clone()
    }

    /// A 400 that no property is to blame for.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "VALIDATION_ERROR", message)
    }

    /// A 400 for a body that is not the JSON this call takes.
    pub(crate) fn bad_json(reason: &str) -> Self {
        let message = format!("Invalid input JSON: {reason}");
        Self::invalid(message.clone()).with_code("INVALID_JSON", message)
    }

    /// A 404 for a record that is unknown or archived.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(404, "OBJECT_NOT_FOUND", format!("Object not found. {what}"))
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(409, "CONFLICT", message)
    }

    pub(crate) fn unknown_path() -> Self {
        Self::new(404, "OBJECT_NOT_FOUND", "There is nothing at this path.")
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(
            405,
            "METHOD_NOT_ALLOWED",
            "This path does not take this method.",
        )
    }

    /// A 400 for property values that were not valid, one detail each.
    pub(crate) fn values(details: Vec<Detail>) -> Self {
        let list: Vec<Value> = details
            .iter()
            .map(|one| {
                json!({"isValid": false, "message": one.message, "error": one.code,
                       "name": one.property, "localizedErrorMessage": one.message})
            })
            .collect();
        let mut error = Self::invalid(format!(
            "Property values were not valid: {}",
            Value::Array(list)
        ));
        error.0.details = details;
        error
    }

    /// A 400 for properties that a create did not set.
    pub(crate) fn required(code: &'static str, object: &str, properties: &[String]) -> Self {
        let message = format!("Error creating {object}. Some required properties were not set.");
        let mut error =
            Self::invalid(message.clone()).with_context("properties", properties.to_vec());
        error.0.details = properties
            .iter()
            .map(|property| Detail {
                code,
                property: property.clone(),
                message: message.clone(),
            })
            .collect();
        error
    }

    #[must_use]
    pub(crate) fn with_code(mut self, code: &'static str, message: impl Into<String>) -> Self {
        self.0.details.push(Detail {
            code,
            property: String::new(),
            message: message.into(),
        });
        self
    }

    #[must_use]
    pub(crate) fn with_context(mut self, key: &str, values: Vec<String>) -> Self {
        self.0.context.insert(key.to_owned(), values.into());
        self
    }

    #[must_use]
    pub(crate) fn with_extra(mut self, key: &str, value: Value) -> Self {
        self.0.extra.insert(key.to_owned(), value);
        self
    }

    #[must_use]
    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.headers.push((name, value.into()));
        self
    }

    #[must_use]
    pub(crate) fn with_sub_category(mut self, sub_category: &'static str) -> Self {
        self.0.sub_category = Some(sub_category);
        self
    }

    /// Whether a batch was refused because it names one record twice.
    pub(crate) fn is_duplicate(&self) -> bool {
        self.0.sub_category == Some(DUPLICATE_IDS)
    }

    /// The body of a request that was refused as a whole.
    pub(crate) fn body(&self, correlation: &str) -> Value {
        let mut body = Map::new();
        body.insert("status".into(), "error".into());
        body.insert("message".into(), self.0.message.clone().into());
        body.insert("correlationId".into(), correlation.into());
        body.insert("category".into(), self.0.category.into());
        if let Some(sub) = self.0.sub_category {
            body.insert("subCategory".into(), sub.into());
        }
        if !self.0.context.is_empty() {
            body.insert("context".into(), self.0.context.clone().into());
        }
        if !self.0.details.is_empty() {
            body.insert("errors".into(), self.details_json());
        }
        body.extend(self.0.extra.clone());
        Value::Object(body)
    }

    /// An entry of `errors[]` in a 207, marked with the trace id of the input it belongs to.
    pub(crate) fn item(&self, trace: Option<&str>) -> Value {
        let mut context = self.0.context.clone();
        if let Some(trace) = trace {
            context.insert("objectWriteTraceId".into(), json!([trace]));
        }
        json!({"status": "error", "category": self.0.category, "message": self.0.message,
               "context": context, "errors": self.details_json(), "links": {},
               "subCategory": self.0.sub_category})
    }

    fn details_json(&self) -> Value {
        self.0
            .details
            .iter()
            .map(|one| {
                let mut entry = json!({"message": one.message, "code": one.code});
                if !one.property.is_empty() {
                    entry["context"] = json!({"propertyName": [one.property]});
                }
                entry
            })
            .collect()
    }
}

/// Marks a batch that names one record twice.
pub(crate) const DUPLICATE_IDS: &str = "crm.batch.DUPLICATE_IDS";
