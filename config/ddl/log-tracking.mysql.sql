-- Real-time log tracking, for MySQL 5.7 and MariaDB 10.3 and newer. A TIMESTAMP does not depend on the session's time zone.
CREATE TABLE IF NOT EXISTS logs (
    id INTEGER UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
    timestamp TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    level VARCHAR(10) NOT NULL,
    service VARCHAR(50) NOT NULL,
    message TEXT NOT NULL,
    request_id VARCHAR(20) NOT NULL,
    response_time INTEGER,
    cpu_usage DECIMAL(5,2),
    memory_usage INTEGER,
    created_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
) DEFAULT CHARACTER SET utf8mb4;
CREATE INDEX idx_logs_timestamp ON logs (timestamp);
CREATE INDEX idx_logs_level ON logs (level);
CREATE INDEX idx_logs_service ON logs (service);
CREATE INDEX idx_logs_created_at ON logs (created_at);
CREATE INDEX idx_logs_request_id ON logs (request_id);

CREATE OR REPLACE SQL SECURITY INVOKER VIEW recent_logs AS
SELECT * FROM logs WHERE created_at >= NOW(6) - INTERVAL 24 HOUR ORDER BY created_at DESC;

CREATE OR REPLACE SQL SECURITY INVOKER VIEW log_stats AS
SELECT service, level, COUNT(*) AS count, AVG(response_time) AS avg_response_time, AVG(cpu_usage) AS avg_cpu_usage,
       AVG(memory_usage) AS avg_memory_usage
FROM logs GROUP BY service, level;
