-- Document 001: the Supabase integration activity log.
CREATE TABLE IF NOT EXISTS integration_activity_log (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id UUID,
    integration_id UUID,
    direction VARCHAR(20),
    activity_type VARCHAR(50),
    method VARCHAR(10),
    endpoint TEXT,
    request_headers JSONB,
    request_body JSONB,
    response_status INTEGER,
    response_body JSONB,
    response_time_ms INTEGER,
    status VARCHAR(50),
    error_message TEXT,
    error_code VARCHAR(50),
    user_id UUID,
    ip_address INET,
    user_agent TEXT,
    metadata JSONB,
    created_at TIMESTAMPTZ DEFAULT now(),
    completed_at TIMESTAMPTZ
);
CREATE INDEX IF NOT EXISTS idx_integration_activity_created ON integration_activity_log (created_at DESC);
CREATE INDEX IF NOT EXISTS idx_integration_activity_org ON integration_activity_log (organization_id, created_at DESC);
CREATE INDEX IF NOT EXISTS idx_integration_activity_integration ON integration_activity_log (integration_id, created_at DESC);
CREATE INDEX IF NOT EXISTS idx_integration_activity_type ON integration_activity_log (activity_type, status);
CREATE INDEX IF NOT EXISTS idx_integration_activity_direction ON integration_activity_log (direction, status);
CREATE INDEX IF NOT EXISTS idx_integration_activity_status ON integration_activity_log (status, created_at DESC);
CREATE INDEX IF NOT EXISTS idx_integration_activity_user ON integration_activity_log (user_id, created_at DESC);
CREATE INDEX IF NOT EXISTS idx_integration_activity_correlation ON integration_activity_log ((metadata #>> ARRAY['correlation_id']));
CREATE INDEX IF NOT EXISTS idx_integration_activity_request ON integration_activity_log ((metadata #>> ARRAY['request_id']));
CREATE INDEX IF NOT EXISTS idx_integration_activity_parent ON integration_activity_log ((metadata #>> ARRAY['parent_request_id']));

CREATE OR REPLACE VIEW integration_activity_summary AS
SELECT organization_id, integration_id, direction, activity_type, status, date_trunc('day', created_at) AS activity_date,
       count(*) AS activity_count, avg(response_time_ms) AS avg_response_time_ms,
       max(response_time_ms) AS max_response_time_ms
FROM integration_activity_log
GROUP BY organization_id, integration_id, direction, activity_type, status, date_trunc('day', created_at);
