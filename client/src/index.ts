export { Kairos } from './kairos.js';
export { KairosError } from './errors.js';
export { Sql, type SqlValue, sql } from './sql.js';
export type * from './types.js';
