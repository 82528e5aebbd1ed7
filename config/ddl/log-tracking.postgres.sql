-- Real-time log tracking (docs/reference/log-tracking.md).
CREATE TABLE IF NOT EXISTS logs (
    id SERIAL PRIMARY KEY,
    timestamp TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    level VARCHAR(10) NOT NULL,
    service VARCHAR(50) NOT NULL,
    message TEXT NOT NULL,
    request_id VARCHAR(20) NOT NULL,
    response_time INTEGER,
    cpu_usage DECIMAL(5,2),
    memory_usage INTEGER,
    created_at TIMESTAMPTZ NOT NULL DEFAULT NOW()
);
CREATE INDEX IF NOT EXISTS idx_logs_timestamp ON logs (timestamp);
CREATE INDEX IF NOT EXISTS idx_logs_level ON logs (level);
CREATE INDEX IF NOT EXISTS idx_logs_service ON logs (service);
CREATE INDEX IF NOT EXISTS idx_logs_created_at ON logs (created_at);
CREATE INDEX IF NOT EXISTS idx_logs_request_id ON logs (request_id);

CREATE OR REPLACE VIEW recent_logs AS
SELECT * FROM logs WHERE created_at >= NOW() - INTERVAL '24 hours' ORDER BY created_at DESC;

CREATE OR REPLACE VIEW log_stats AS
SELECT service, level, COUNT(*) AS count, AVG(response_time) AS avg_response_time, AVG(cpu_usage) AS avg_cpu_usage,
       AVG(memory_usage) AS avg_memory_usage
FROM logs GROUP BY service, level;
