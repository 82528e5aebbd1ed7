-- ProKure's integration logging, the PostgreSQL part (docs/reference/prokure.md).
CREATE SCHEMA IF NOT EXISTS integration;

CREATE TABLE IF NOT EXISTS integration.external_systems (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    system_code VARCHAR(50) UNIQUE NOT NULL,
    system_name VARCHAR(200) NOT NULL,
    system_type VARCHAR(50),
    base_url TEXT,
    auth_type VARCHAR(30),
    credentials_encrypted BYTEA,
    oauth_token_encrypted BYTEA,
    token_expires_at TIMESTAMPTZ,
    timeout_ms INTEGER NOT NULL DEFAULT 30000,
    max_retries INTEGER NOT NULL DEFAULT 3,
    pool_size INTEGER NOT NULL DEFAULT 10,
    health_status VARCHAR(20) NOT NULL DEFAULT 'UNKNOWN',
    health_message TEXT,
    last_health_check_at TIMESTAMPTZ,
    is_active BOOLEAN NOT NULL DEFAULT true,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS integration.integration_endpoints (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    system_id UUID NOT NULL REFERENCES integration.external_systems (id),
    endpoint_code VARCHAR(100) NOT NULL,
    endpoint_name VARCHAR(200),
    http_method VARCHAR(10) NOT NULL,
    endpoint_path TEXT NOT NULL,
    entity_type VARCHAR(50),
    request_schema JSONB,
    response_schema JSONB,
    request_transform TEXT,
    response_transform TEXT,
    rate_limit JSONB,
    retry_policy JSONB,
    timeout_ms INTEGER,
    is_active BOOLEAN NOT NULL DEFAULT true,
    UNIQUE (system_id, endpoint_code)
);

CREATE TABLE IF NOT EXISTS integration.integration_mappings (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    system_id UUID NOT NULL REFERENCES integration.external_systems (id),
    entity_type VARCHAR(50) NOT NULL,
    internal_code VARCHAR(100) NOT NULL,
    external_code VARCHAR(100) NOT NULL,
    sync_direction VARCHAR(10) NOT NULL DEFAULT 'BOTH' CHECK (sync_direction IN ('INBOUND', 'OUTBOUND', 'BOTH')),
    last_sync_at TIMESTAMPTZ,
    last_sync_status VARCHAR(20),
    is_verified BOOLEAN NOT NULL DEFAULT false,
    verified_at TIMESTAMPTZ,
    verified_by VARCHAR(100),
    UNIQUE (system_id, entity_type, internal_code)
);
CREATE INDEX IF NOT EXISTS idx_integration_mappings_internal ON integration.integration_mappings (internal_code);
CREATE INDEX IF NOT EXISTS idx_integration_mappings_external ON integration.integration_mappings (external_code);

CREATE TABLE IF NOT EXISTS integration.api_request_logs (
    request_id UUID PRIMARY KEY,
    correlation_id UUID,
    parent_request_id UUID,
    system_code VARCHAR(50) NOT NULL,
    endpoint_code VARCHAR(100),
    http_method VARCHAR(10),
    request_url TEXT,
    response_status INTEGER,
    status VARCHAR(20) NOT NULL,
    is_success BOOLEAN,
    error_type VARCHAR(100),
    error_message TEXT,
    entity_type VARCHAR(50),
    entity_id VARCHAR(100),
    operation_type VARCHAR(50),
    attempt_number INTEGER,
    max_attempts INTEGER,
    next_retry_at TIMESTAMPTZ,
    triggered_by VARCHAR(100),
    user_id VARCHAR(100),
    started_at TIMESTAMPTZ NOT NULL,
    completed_at TIMESTAMPTZ,
    duration_ms INTEGER,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS idx_api_request_logs_started ON integration.api_request_logs (started_at DESC);
CREATE INDEX IF NOT EXISTS idx_api_request_logs_correlation ON integration.api_request_logs (correlation_id);
CREATE INDEX IF NOT EXISTS idx_api_request_logs_parent ON integration.api_request_logs (parent_request_id);
CREATE INDEX IF NOT EXISTS idx_api_request_logs_status ON integration.api_request_logs (status, started_at DESC);
CREATE INDEX IF NOT EXISTS idx_api_request_logs_system ON integration.api_request_logs (system_code, started_at DESC);
CREATE INDEX IF NOT EXISTS idx_api_request_logs_entity ON integration.api_request_logs (entity_type, entity_id);

CREATE TABLE IF NOT EXISTS integration.webhook_configurations (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    webhook_code VARCHAR(100) UNIQUE NOT NULL,
    webhook_name VARCHAR(200),
    system_code VARCHAR(50),
    target_url TEXT NOT NULL,
    http_method VARCHAR(10) NOT NULL DEFAULT 'POST',
    event_types JSONB,
    secret_encrypted BYTEA,
    retry_policy JSONB,
    max_attempts INTEGER NOT NULL DEFAULT 5,
    timeout_ms INTEGER NOT NULL DEFAULT 10000,
    is_active BOOLEAN NOT NULL DEFAULT true
);

CREATE TABLE IF NOT EXISTS integration.webhook_deliveries (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    webhook_id UUID REFERENCES integration.webhook_configurations (id),
    correlation_id UUID,
    event_type VARCHAR(100) NOT NULL,
    entity_type VARCHAR(50),
    entity_id VARCHAR(100),
    payload JSONB,
    status VARCHAR(20) NOT NULL DEFAULT 'PENDING',
    attempt_number INTEGER NOT NULL DEFAULT 1,
    request_headers JSONB,
    response_status INTEGER,
    response_headers JSONB,
    response_body TEXT,
    error_type VARCHAR(100),
    error_message TEXT,
    next_retry_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    completed_at TIMESTAMPTZ,
    duration_ms INTEGER
);
CREATE INDEX IF NOT EXISTS idx_webhook_deliveries_created ON integration.webhook_deliveries (created_at DESC);
CREATE INDEX IF NOT EXISTS idx_webhook_deliveries_correlation ON integration.webhook_deliveries (correlation_id);
CREATE INDEX IF NOT EXISTS idx_webhook_deliveries_status ON integration.webhook_deliveries (status, created_at DESC);

CREATE OR REPLACE VIEW integration.v_failed_requests_24h AS
SELECT request_id, correlation_id, system_code, endpoint_code, entity_type, entity_id, status, response_status,
       error_type, error_message, started_at, duration_ms
FROM integration.api_request_logs
WHERE started_at >= now() - INTERVAL '24 hours' AND status IN ('FAILED', 'TIMEOUT')
ORDER BY started_at DESC;

CREATE OR REPLACE VIEW integration.v_system_health AS
SELECT system_code, count(*) AS total_requests,
       round(100.0 * count(*) FILTER (WHERE is_success) / count(*), 2) AS success_rate,
       round(avg(duration_ms), 2) AS avg_duration_ms
FROM integration.api_request_logs
WHERE started_at >= now() - INTERVAL '1 hour'
GROUP BY system_code;
