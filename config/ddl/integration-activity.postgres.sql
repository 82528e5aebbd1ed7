-- The Supabase integration activity log (docs/reference/supabase-activity-log.md).
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

-- The organisations in the caller's token, which decide what it may read (PostgREST and Supabase put the token's claims
-- into this setting). A role that bypasses row-level security, such as Supabase's service_role, may read and write all.
CREATE OR REPLACE FUNCTION integration_activity_organizations() RETURNS SETOF UUID LANGUAGE sql STABLE AS $$
    SELECT value::uuid
    FROM (SELECT nullif(current_setting('request.jwt.claims', true), '')::jsonb AS claims) AS token,
         jsonb_array_elements_text(coalesce(claims #> '{app_metadata,organization_ids}', claims -> 'organization_ids', '[]'::jsonb))
$$;

ALTER TABLE integration_activity_log ENABLE ROW LEVEL SECURITY;

CREATE POLICY integration_activity_read ON integration_activity_log FOR SELECT
    USING (organization_id IN (SELECT integration_activity_organizations()));

CREATE POLICY integration_activity_write ON integration_activity_log FOR INSERT
    WITH CHECK (organization_id IN (SELECT integration_activity_organizations()));

-- The first write of an activity; returns its id.
CREATE OR REPLACE FUNCTION log_integration_activity_start(
    p_organization_id UUID, p_integration_id UUID, p_direction TEXT, p_activity_type TEXT,
    p_method TEXT DEFAULT NULL, p_endpoint TEXT DEFAULT NULL, p_request_headers JSONB DEFAULT NULL,
    p_request_body JSONB DEFAULT NULL, p_user_id UUID DEFAULT NULL, p_ip_address INET DEFAULT NULL,
    p_user_agent TEXT DEFAULT NULL, p_metadata JSONB DEFAULT NULL
) RETURNS UUID LANGUAGE sql AS $$
    INSERT INTO integration_activity_log (organization_id, integration_id, direction, activity_type, method, endpoint,
        request_headers, request_body, status, user_id, ip_address, user_agent, metadata)
    VALUES (p_organization_id, p_integration_id, p_direction, p_activity_type, p_method, p_endpoint, p_request_headers,
        p_request_body, 'started', p_user_id, p_ip_address, p_user_agent, p_metadata)
    RETURNING id
$$;

-- The second write: its outcome. Without a response time, the time since the first write is stored.
CREATE OR REPLACE FUNCTION log_integration_activity_complete(
    p_id UUID, p_status TEXT, p_response_status INTEGER DEFAULT NULL, p_response_body JSONB DEFAULT NULL,
    p_response_time_ms INTEGER DEFAULT NULL, p_error_message TEXT DEFAULT NULL, p_error_code TEXT DEFAULT NULL
) RETURNS VOID LANGUAGE sql AS $$
    UPDATE integration_activity_log
    SET status = p_status, response_status = p_response_status, response_body = p_response_body,
        response_time_ms = coalesce(p_response_time_ms, (extract(epoch FROM now() - created_at) * 1000)::integer),
        error_message = p_error_message, error_code = p_error_code, completed_at = now()
    WHERE id = p_id
$$;

-- Deletes what is older than the retention; returns the number of rows. For a scheduler: SELECT cleanup_integration_activity_log();
CREATE OR REPLACE FUNCTION cleanup_integration_activity_log(p_days INTEGER DEFAULT 90) RETURNS BIGINT LANGUAGE sql AS $$
    WITH gone AS (
        DELETE FROM integration_activity_log WHERE created_at < now() - make_interval(days => p_days) RETURNING 1
    )
    SELECT count(*) FROM gone
$$;
