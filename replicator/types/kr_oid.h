/*
 * OIDs of built-in types (PostgreSQL's src/include/catalog/pg_type.dat); they
 * are the same in every server.
 */

#ifndef _KR_OID_H_INCLUDED_
#define _KR_OID_H_INCLUDED_


#define KR_OID_BOOL         16
#define KR_OID_BYTEA        17
#define KR_OID_INT8         20
#define KR_OID_INT2         21
#define KR_OID_INT4         23
#define KR_OID_TEXT         25
#define KR_OID_FLOAT4       700
#define KR_OID_FLOAT8       701
#define KR_OID_BPCHAR       1042
#define KR_OID_VARCHAR      1043
#define KR_OID_DATE         1082
#define KR_OID_TIME         1083
#define KR_OID_TIMESTAMP    1114
#define KR_OID_TIMESTAMPTZ  1184
#define KR_OID_NUMERIC      1700
#define KR_OID_UUID         2950


#endif /* _KR_OID_H_INCLUDED_ */
