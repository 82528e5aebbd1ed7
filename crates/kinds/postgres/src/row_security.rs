//! Row-level security, which hides rows from a role without an error.

use super::connection::ReadTransaction;
use sqlx::Row as _;

/// Finds the tables of which the role may not see all rows (`PostgreSQL` documentation, 5.9): row-level security is
/// active for it, and either no permissive policy allows every row, or a restrictive one hides some.
const HIDDEN: &str = r"
SELECT name::regclass::text, format('CREATE POLICY crosstail_read ON %s FOR SELECT TO %I USING (true);', name::regclass, current_user)
FROM unnest($1::text[]) AS name
WHERE row_security_active(name::regclass) AND (
    NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = name::regclass AND p.polpermissive
                AND p.polcmd IN ('r', '*') AND pg_get_expr(p.polqual, p.polrelid) = 'true' AND {mine})
    OR EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = name::regclass AND NOT p.polpermissive
               AND p.polcmd IN ('r', '*') AND pg_get_expr(p.polqual, p.polrelid) <> 'true' AND {mine}))";

/// Whether a policy applies to the role. Role 0 is PUBLIC.
const MINE: &str =
    "EXISTS (SELECT FROM unnest(p.polroles) r WHERE CASE WHEN r = 0 THEN true ELSE pg_has_role(r, 'USAGE') END)";

/// A warning for each of these tables (names as in SQL) that hides rows, with the statement that makes them visible.
pub(super) async fn warnings(reading: &mut ReadTransaction, tables: &[&str]) -> Result<Vec<String>, sqlx::Error> {
    let text = HIDDEN.replace("{mine}", MINE);
    let rows = reading.all(sqlx::query(sqlx::AssertSqlSafe(text)).persistent(false).bind(tables)).await?;
    rows.iter()
        .map(|row| {
            let (table, statement): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            Ok(format!(
                "{table}: row-level security hides rows from this role; to see all of them, run as the table's owner: {statement}"
            ))
        })
        .collect()
}
