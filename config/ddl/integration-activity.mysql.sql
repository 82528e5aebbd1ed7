-- The Supabase integration activity log, for MySQL 8.0.13 and MariaDB 10.7 and newer. Date and time columns are in UTC.
-- MySQL has no row-level security: create a view for each organisation that may see only its own rows.
CREATE TABLE IF NOT EXISTS integration_activity_log (
    id CHAR(36) CHARACTER SET ascii PRIMARY KEY DEFAULT (UUID()),
    organization_id CHAR(36) CHARACTER SET ascii,
    integration_id CHAR(36) CHARACTER SET ascii,
    direction VARCHAR(20),
    activity_type VARCHAR(50),
    method VARCHAR(10),
    endpoint TEXT,
    request_headers JSON,
    request_body JSON,
    response_status INTEGER,
    response_body JSON,
    response_time_ms INTEGER,
    status VARCHAR(50),
    error_message TEXT,
    error_code VARCHAR(50),
    user_id CHAR(36) CHARACTER SET ascii,
    ip_address VARCHAR(45) CHARACTER SET ascii,
    user_agent TEXT,
    metadata JSON,
    created_at DATETIME(6) DEFAULT (UTC_TIMESTAMP(6)),
    completed_at DATETIME(6),
    correlation_key VARCHAR(255) AS (LEFT(JSON_UNQUOTE(JSON_EXTRACT(metadata, '$.correlation_id')), 255)) VIRTUAL,
    request_key VARCHAR(255) AS (LEFT(JSON_UNQUOTE(JSON_EXTRACT(metadata, '$.request_id')), 255)) VIRTUAL,
    parent_key VARCHAR(255) AS (LEFT(JSON_UNQUOTE(JSON_EXTRACT(metadata, '$.parent_request_id')), 255)) VIRTUAL
) DEFAULT CHARACTER SET utf8mb4;
CREATE INDEX idx_integration_activity_created ON integration_activity_log (created_at);
CREATE INDEX idx_integration_activity_org ON integration_activity_log (organization_id, created_at);
CREATE INDEX idx_integration_activity_integration ON integration_activity_log (integration_id, created_at);
CREATE INDEX idx_integration_activity_type ON integration_activity_log (activity_type, status);
CREATE INDEX idx_integration_activity_direction ON integration_activity_log (direction, status);
CREATE INDEX idx_integration_activity_status ON integration_activity_log (status, created_at);
CREATE INDEX idx_integration_activity_user ON integration_activity_log (user_id, created_at);
-- Generated columns index paths into JSON.
CREATE INDEX idx_integration_activity_correlation ON integration_activity_log (correlation_key);
CREATE INDEX idx_integration_activity_request ON integration_activity_log (request_key);
CREATE INDEX idx_integration_activity_parent ON integration_activity_log (parent_key);

CREATE OR REPLACE SQL SECURITY INVOKER VIEW integration_activity_summary AS
SELECT organization_id, integration_id, direction, activity_type, status, DATE(created_at) AS activity_date,
       COUNT(*) AS activity_count, AVG(response_time_ms) AS avg_response_time_ms,
       MAX(response_time_ms) AS max_response_time_ms
FROM integration_activity_log
GROUP BY organization_id, integration_id, direction, activity_type, status, DATE(created_at);
