//! The entry of trace stores in the list of kinds.

use crate::TraceSource;
use crosstail_core::schema::StoreKind;
use crosstail_source::{Kind, Network, as_it_is, claims_none};
use std::sync::Arc;

/// Stores of traces: Tempo and Jaeger.
pub static KIND: Kind = Kind {
    store: StoreKind { name: "traces", is_database: false },
    title: "Tempo and Jaeger",
    schemes: &["tempo+http", "tempo+https", "jaeger+http", "jaeger+https"],
    example: "tempo+http://host:3200",
    network: Some(Network {
        default_port: |scheme| match scheme {
            "tempo+http" => 3200,
            "jaeger+http" => 16686,
            _ => 443,
        },
        encrypted: |scheme, _| Some(scheme.ends_with('s')),
        encrypt: "tempo+https:// or jaeger+https://",
        unverified: &[],
        verify: "",
        named_by_host: true,
        alone: as_it_is,
    }),
    claims: claims_none,
    takes_several: false,
    programs: &[],
    listens: false,
    holds_activities: false,
    open: |config, id, _| Ok(Arc::new(TraceSource::new(&config.name, id, config.address())?)),
    definitions: &[],
    creator: None,
    writing: None,
    alerts: None,
};
