//! The external systems and what is asked of them.

use crate::{Backoff, Jitter, RetryPolicy};

/// An external system: how it answers on an ordinary day.
#[derive(Debug)]
pub(super) struct System {
    pub(super) name: &'static str,
    pub(super) base: &'static str,
    /// Median of the answer time, in milliseconds.
    pub(super) median_ms: f64,
    /// Spread of its logarithm.
    pub(super) sigma: f64,
    /// Part of the calls that fail.
    pub(super) error_rate: f64,
    /// What failures are: (HTTP status or 0 for a timeout, weight, error type, text).
    pub(super) errors: &'static [(u16, u32, &'static str, &'static str)],
    pub(super) policy: RetryPolicy,
    /// How much of the traffic is to it.
    pub(super) weight: u32,
    pub(super) calls: &'static [Call],
    /// Events it sends us.
    pub(super) events: &'static [&'static str],
}

/// A call: method, path (`{}` is an id), entity type, operation.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) entity: &'static str,
    pub(super) operation: &'static str,
}

const fn call(method: &'static str, path: &'static str, entity: &'static str, operation: &'static str) -> Call {
    Call { method, path, entity, operation }
}

const fn policy(max_attempts: u16, base_ms: u64) -> RetryPolicy {
    RetryPolicy { max_attempts, base_ms, cap_ms: 300_000, backoff: Backoff::Exponential, jitter: Jitter::None }
}

pub(super) const SYSTEMS: &[System] = &[
    System {
        name: "SAP",
        base: "https://sap.prokure.example",
        median_ms: 780.0,
        sigma: 0.55,
        error_rate: 0.018,
        weight: 22,
        errors: &[
            (500, 3, "SapBackendError", "RFC_ERROR_SYSTEM_FAILURE: ABAP runtime error"),
            (422, 3, "ValidationError", "Vendor V-77 is blocked for purchasing"),
            (0, 2, "ETIMEDOUT", "no answer within 30 s"),
        ],
        policy: policy(3, 10_000),
        calls: &[
            call("POST", "/po/create", "PO", "CREATE"),
            call("GET", "/vendors/{}", "VENDOR", "READ"),
            call("POST", "/grn/post", "GRN", "CREATE"),
            call("PATCH", "/po/{}", "PO", "UPDATE"),
            call("GET", "/materials/{}/stock", "ITEM", "READ"),
        ],
        events: &["po.approved", "invoice.posted"],
    },
    System {
        name: "Tally",
        base: "http://tally.prokure.example:9000",
        median_ms: 1400.0,
        sigma: 0.7,
        error_rate: 0.03,
        weight: 7,
        errors: &[
            (0, 5, "ETIMEDOUT", "no answer within 30 s"),
            (500, 2, "TallyError", "LINEERROR: Voucher number already exists"),
        ],
        policy: policy(3, 20_000),
        calls: &[call("POST", "/voucher", "INVOICE", "CREATE"), call("GET", "/ledger", "LEDGER", "READ")],
        events: &[],
    },
    System {
        name: "Zoho",
        base: "https://www.zohoapis.in",
        median_ms: 310.0,
        sigma: 0.5,
        error_rate: 0.012,
        weight: 16,
        errors: &[
            (401, 2, "INVALID_TOKEN", "invalid oauth token"),
            (429, 3, "TOO_MANY_REQUESTS", "too many requests"),
            (400, 2, "MANDATORY_NOT_FOUND", "required field not found: Last_Name"),
        ],
        policy: policy(4, 5_000),
        calls: &[
            call("GET", "/crm/v5/Contacts", "CONTACT", "READ"),
            call("POST", "/crm/v5/Leads", "LEAD", "CREATE"),
            call("PUT", "/crm/v5/Deals/{}", "DEAL", "UPDATE"),
        ],
        events: &["contact.updated", "deal.won"],
    },
    System {
        name: "HaloPSA",
        base: "https://prokure.halopsa.example",
        median_ms: 240.0,
        sigma: 0.45,
        error_rate: 0.008,
        weight: 16,
        errors: &[
            (503, 2, "ServiceUnavailable", "upstream connect error"),
            (404, 2, "NotFound", "ticket not found"),
            (401, 1, "Unauthorized", "token expired"),
        ],
        policy: policy(3, 5_000),
        calls: &[
            call("GET", "/api/Tickets", "TICKET", "READ"),
            call("POST", "/api/Tickets", "TICKET", "CREATE"),
            call("POST", "/api/Client", "CLIENT", "CREATE"),
            call("GET", "/api/me", "USER", "READ"),
        ],
        events: &["ticket.created", "ticket.updated"],
    },
    System {
        name: "Apollo",
        base: "https://api.apollo.example",
        median_ms: 420.0,
        sigma: 0.6,
        error_rate: 0.02,
        weight: 11,
        errors: &[
            (429, 6, "RateLimited", "You have exceeded 200 requests per minute"),
            (422, 1, "Unprocessable", "person could not be matched"),
        ],
        policy: policy(5, 15_000),
        calls: &[
            call("POST", "/v1/people/match", "LEAD", "ENRICH"),
            call("POST", "/v1/mixed_people/search", "LEAD", "SEARCH"),
        ],
        events: &[],
    },
    System {
        name: "ZoomInfo",
        base: "https://api.zoominfo.example",
        median_ms: 560.0,
        sigma: 0.5,
        error_rate: 0.015,
        weight: 8,
        errors: &[(429, 3, "RateLimited", "usage limit exceeded"), (502, 1, "BadGateway", "bad gateway")],
        policy: policy(3, 15_000),
        calls: &[
            call("POST", "/search/company", "COMPANY", "SEARCH"),
            call("POST", "/enrich/contact", "LEAD", "ENRICH"),
        ],
        events: &[],
    },
    System {
        name: "Golioth",
        base: "https://api.golioth.example",
        median_ms: 120.0,
        sigma: 0.5,
        error_rate: 0.01,
        weight: 14,
        errors: &[
            (0, 1, "ECONNRESET", "socket hang up"),
            (409, 2, "Conflict", "device already exists"),
            (503, 2, "ServiceUnavailable", "service unavailable"),
        ],
        policy: policy(3, 5_000),
        calls: &[
            call("GET", "/v1/projects/plant-7/devices", "DEVICE", "device_list"),
            call("POST", "/v1/projects/plant-7/devices", "DEVICE", "device_create"),
            call("PATCH", "/v1/projects/plant-7/devices/{}", "DEVICE", "device_update"),
            call("DELETE", "/v1/projects/plant-7/devices/{}", "DEVICE", "device_delete"),
        ],
        events: &["device.update", "device.offline"],
    },
    System {
        name: "Slack",
        base: "https://slack.example",
        median_ms: 180.0,
        sigma: 0.4,
        error_rate: 0.006,
        weight: 6,
        errors: &[(429, 2, "ratelimited", "ratelimited"), (404, 1, "channel_not_found", "channel_not_found")],
        policy: policy(3, 30_000),
        calls: &[call("POST", "/api/chat.postMessage", "MESSAGE", "notification_slack")],
        events: &["app_mention"],
    },
];

/// Our own services and what they log: (service, level 0 info 1 warn 2 error, text).
pub(super) const LOGS: &[(&str, u8, &str)] = &[
    ("api", 0, "request processed"),
    ("api", 0, "cache hit for catalogue"),
    ("auth", 0, "user authenticated"),
    ("auth", 1, "token refresh slow"),
    ("database", 0, "query executed"),
    ("database", 1, "connection pool 80 % used"),
    ("cache", 0, "key evicted"),
    ("frontend", 0, "page rendered"),
    ("database", 2, "deadlock detected, transaction rolled back"),
    ("api", 1, "slow request"),
    ("auth", 2, "refresh token rejected"),
    ("cache", 1, "memory usage high"),
];

/// Business events: (name, text).
pub(super) const EVENTS: &[(&str, &str)] = &[
    ("lead.created", "Lead Created"),
    ("lead.converted", "Lead Converted to Prospect"),
    ("opportunity.created", "Opportunity Created"),
];

pub(super) const ACTORS: &[&str] = &["SCHEDULER", "SYSTEM", "asha.rao", "m.keller", "j.okafor", "WEBHOOK"];
