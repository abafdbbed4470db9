//! The accounts of a harness.

/// One of three accounts that must never share anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(clippy::exhaustive_enums)] // a harness serves each
pub enum Account {
    /// Tenant `kit-one`, connection `crm`.
    #[default]
    First,
    /// Another tenant with the same connection id: tenant `kit-two`, connection `crm`.
    OtherTenant,
    /// The same tenant with another connection: tenant `kit-one`, connection `crm-two`.
    OtherConnection,
}

impl Account {
    /// All three.
    pub const ALL: [Self; 3] = [Self::First, Self::OtherTenant, Self::OtherConnection];

    /// Returns the tenant id.
    pub fn tenant(self) -> &'static str {
        match self {
            Self::First | Self::OtherConnection => "kit-one",
            Self::OtherTenant => "kit-two",
        }
    }

    /// Returns the connection id.
    pub fn connection(self) -> &'static str {
        match self {
            Self::First | Self::OtherTenant => "crm",
            Self::OtherConnection => "crm-two",
        }
    }

    /// Finds the account of a tenant and connection.
    pub fn of(tenant: &str, connection: &str) -> Option<Self> {
        let fits =
            |account: &Self| account.tenant() == tenant && account.connection() == connection;
        Self::ALL.into_iter().find(fits)
    }
}
