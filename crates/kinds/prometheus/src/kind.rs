//! The entry of metrics and health endpoints in the list of kinds.

use crate::PrometheusSource;
use crosstail_core::schema::StoreKind;
use crosstail_source::{Kind, Network, as_it_is, claims_none};
use std::sync::Arc;

/// Pages of metrics, and Prometheus itself.
pub static KIND: Kind = Kind {
    store: StoreKind { name: "prometheus", is_database: false },
    title: "Prometheus and health endpoints",
    schemes: &["prometheus+http", "prometheus+https", "health+http", "health+https"],
    example: "prometheus+http://host:9090",
    network: Some(Network {
        default_port: |scheme| if scheme.ends_with('s') { 443 } else { 80 },
        encrypted: |scheme, _| Some(scheme.ends_with('s')),
        encrypt: "prometheus+https:// or health+https://",
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
    open: |config, _, _| Ok(Arc::new(PrometheusSource::new(&config.name, config.address(), config.schema.as_ref())?)),
    definitions: &[],
    creator: None,
    writing: None,
    alerts: None,
};
