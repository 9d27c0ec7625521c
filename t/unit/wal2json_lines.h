/*
 * Lines that wal2json 2.5 printed for PostgreSQL 15 with KR_DECODE_OPTIONS,
 * one for each shape; the one string that is too long for a reader was cut.
 */

#ifndef _WAL2JSON_LINES_H_INCLUDED_
#define _WAL2JSON_LINES_H_INCLUDED_


static const char  line_begin[] =
    "{\"action\":\"B\",\"xid\":844,\"lsn\":\"0/1663E18\",\"nextlsn\":\"0/1663"
    "E48\"}";

static const char  line_commit[] =
    "{\"action\":\"C\",\"xid\":844,\"lsn\":\"0/1663E18\",\"nextlsn\":\"0/1663"
    "E48\"}";

static const char  line_types[] =
    "{\"action\":\"I\",\"xid\":844,\"lsn\":\"0/1663B48\""
    ",\"schema\":\"public\",\"table\":\"everything\",\"columns\":["
    "{\"name\":\"id\",\"typeoid\":20,\"value\":1},"
    "{\"name\":\"i2\",\"typeoid\":21,\"value\":-32768},"
    "{\"name\":\"i4\",\"typeoid\":23,\"value\":2147483647},"
    "{\"name\":\"i8\",\"typeoid\":20,\"value\":9223372036854775807},"
    "{\"name\":\"f4\",\"typeoid\":700,\"value\":1.5},"
    "{\"name\":\"f8\",\"typeoid\":701,\"value\":-0},"
    "{\"name\":\"n\",\"typeoid\":1700,\"value\":12345678901234567890123456789"
    "0.123456789},{\"name\":\"n2\",\"typeoid\":1700,\"value\":1.50},"
    "{\"name\":\"b\",\"typeoid\":16,\"value\":true},"
    "{\"name\":\"d\",\"typeoid\":1082,\"value\":\"2026-01-02\"},"
    "{\"name\":\"t\",\"typeoid\":1083,\"value\":\"03:04:05.6\"},"
    "{\"name\":\"ttz\",\"typeoid\":1266,\"value\":\"03:04:05+02\"},"
    "{\"name\":\"ts\",\"typeoid\":1114,\"value\":\"2026-01-02 03:04:05.123456"
    "\"},"
    "{\"name\":\"tstz\",\"typeoid\":1184,\"value\":\"2026-01-02 01:04:05.1234"
    "56+00\"},{\"name\":\"iv\",\"typeoid\":1186,\"value\":\"P1Y2DT3H4M5S\"},"
    "{\"name\":\"u\",\"typeoid\":2950,\"value\":\"a0eebc99-9c0b-4ef8-bb6d-6bb"
    "9bd380a11\"},"
    "{\"name\":\"tx\",\"typeoid\":25,\"value\":\"line\\n\\\"quote\\\" \\\\ ba"
    "ck \\t tab \\u0001 \303\251 \360\237\230\200\"},"
    "{\"name\":\"vc\",\"typeoid\":1043,\"value\":\"vc\"},"
    "{\"name\":\"c\",\"typeoid\":1042,\"value\":\"ab   \"},"
    "{\"name\":\"by\",\"typeoid\":17,\"value\":\"00ff5c\"},"
    "{\"name\":\"j\",\"typeoid\":114,\"value\":\"{\\\"a\\\": 1.0}\"},"
    "{\"name\":\"jb\",\"typeoid\":3802,\"value\":\"{\\\"a\\\": 1.0}\"},"
    "{\"name\":\"ia\",\"typeoid\":1007,\"value\":\"{1,2,NULL}\"},"
    "{\"name\":\"ta\",\"typeoid\":1009,\"value\":\"{\\\"a b\\\",c,\\\"d"
    "\\\\\\\"e\\\"}\"},{\"name\":\"m\",\"typeoid\":16550,\"value\":\"ok\"},"
    "{\"name\":\"co\",\"typeoid\":16557,\"value\":\"(1,\\\"x y\\\")\"},"
    "{\"name\":\"di\",\"typeoid\":16559,\"value\":\"5\"},"
    "{\"name\":\"dn\",\"typeoid\":16561,\"value\":\"6.50\"},"
    "{\"name\":\"ip\",\"typeoid\":869,\"value\":\"10.0.0.1/8\"},"
    "{\"name\":\"mac\",\"typeoid\":829,\"value\":\"08:00:2b:01:02:03\"},"
    "{\"name\":\"r\",\"typeoid\":3904,\"value\":\"[1,5)\"},"
    "{\"name\":\"o\",\"typeoid\":26,\"value\":4000000000},"
    "{\"name\":\"xm\",\"typeoid\":142,\"value\":\"<a/>\"},"
    "{\"name\":\"mn\",\"typeoid\":790,\"value\":\"$12.34\"},"
    "{\"name\":\"bi\",\"typeoid\":1560,\"value\":\"1010\"},"
    "{\"name\":\"pt\",\"typeoid\":600,\"value\":\"(1,2)\"},"
    "{\"name\":\"nm\",\"typeoid\":19,\"value\":\"nm\"},"
    "{\"name\":\"ch\",\"typeoid\":18,\"value\":\"x\"}]}";

static const char  line_nan[] =
    "{\"action\":\"I\",\"xid\":846,\"lsn\":\"0/1663F00\""
    ",\"schema\":\"public\",\"table\":\"everything\",\"columns\":["
    "{\"name\":\"id\",\"typeoid\":20,\"value\":3},"
    "{\"name\":\"i2\",\"typeoid\":21,\"value\":null},"
    "{\"name\":\"i4\",\"typeoid\":23,\"value\":null},"
    "{\"name\":\"i8\",\"typeoid\":20,\"value\":null},"
    "{\"name\":\"f4\",\"typeoid\":700,\"value\":null},"
    "{\"name\":\"f8\",\"typeoid\":701,\"value\":null},"
    "{\"name\":\"n\",\"typeoid\":1700,\"value\":null},"
    "{\"name\":\"n2\",\"typeoid\":1700,\"value\":null},"
    "{\"name\":\"b\",\"typeoid\":16,\"value\":false},"
    "{\"name\":\"d\",\"typeoid\":1082,\"value\":\"infinity\"},"
    "{\"name\":\"t\",\"typeoid\":1083,\"value\":null},"
    "{\"name\":\"ttz\",\"typeoid\":1266,\"value\":null},"
    "{\"name\":\"ts\",\"typeoid\":1114,\"value\":\"-infinity\"},"
    "{\"name\":\"tstz\",\"typeoid\":1184,\"value\":\"infinity\"},"
    "{\"name\":\"iv\",\"typeoid\":1186,\"value\":null},"
    "{\"name\":\"u\",\"typeoid\":2950,\"value\":null},"
    "{\"name\":\"tx\",\"typeoid\":25,\"value\":null},"
    "{\"name\":\"vc\",\"typeoid\":1043,\"value\":null},"
    "{\"name\":\"c\",\"typeoid\":1042,\"value\":null},"
    "{\"name\":\"by\",\"typeoid\":17,\"value\":null},"
    "{\"name\":\"j\",\"typeoid\":114,\"value\":null},"
    "{\"name\":\"jb\",\"typeoid\":3802,\"value\":null},"
    "{\"name\":\"ia\",\"typeoid\":1007,\"value\":null},"
    "{\"name\":\"ta\",\"typeoid\":1009,\"value\":null},"
    "{\"name\":\"m\",\"typeoid\":16550,\"value\":null},"
    "{\"name\":\"co\",\"typeoid\":16557,\"value\":null},"
    "{\"name\":\"di\",\"typeoid\":16559,\"value\":null},"
    "{\"name\":\"dn\",\"typeoid\":16561,\"value\":null},"
    "{\"name\":\"ip\",\"typeoid\":869,\"value\":null},"
    "{\"name\":\"mac\",\"typeoid\":829,\"value\":null},"
    "{\"name\":\"r\",\"typeoid\":3904,\"value\":null},"
    "{\"name\":\"o\",\"typeoid\":26,\"value\":null},"
    "{\"name\":\"xm\",\"typeoid\":142,\"value\":null},"
    "{\"name\":\"mn\",\"typeoid\":790,\"value\":null},"
    "{\"name\":\"bi\",\"typeoid\":1560,\"value\":null},"
    "{\"name\":\"pt\",\"typeoid\":600,\"value\":null},"
    "{\"name\":\"nm\",\"typeoid\":19,\"value\":null},"
    "{\"name\":\"ch\",\"typeoid\":18,\"value\":null}]}";

static const char  line_pk[] =
    "{\"action\":\"U\",\"xid\":859,\"lsn\":\"0/1666C88\""
    ",\"schema\":\"public\",\"table\":\"keyed\",\"columns\":["
    "{\"name\":\"id\",\"typeoid\":23,\"value\":3},"
    "{\"name\":\"v\",\"typeoid\":25,\"value\":\"c\"}],\"identity\":["
    "{\"name\":\"id\",\"typeoid\":23,\"value\":1}]}";

static const char  line_mixed[] =
    "{\"action\":\"U\",\"xid\":852,\"lsn\":\"0/16647A8\""
    ",\"schema\":\"public\",\"table\":\"Mixed Case\",\"columns\":["
    "{\"name\":\"Id\",\"typeoid\":2950,\"value\":\"a0eebc99-9c0b-4ef8-bb6d-6b"
    "b9bd380a11\"},{\"name\":\"a \\\"q\\\"\",\"typeoid\":25,\"value\":\"y\"},"
    "{\"name\":\"\303\274n\303\257\",\"typeoid\":25,\"value\":null}]"
    ",\"identity\":["
    "{\"name\":\"Id\",\"typeoid\":2950,\"value\":\"a0eebc99-9c0b-4ef8-bb6d-6b"
    "b9bd380a11\"},{\"name\":\"a \\\"q\\\"\",\"typeoid\":25,\"value\":\"x\"},"
    "{\"name\":\"\303\274n\303\257\",\"typeoid\":25,\"value\":null}]}";

static const char  line_delete[] =
    "{\"action\":\"D\",\"xid\":853,\"lsn\":\"0/1664848\""
    ",\"schema\":\"public\",\"table\":\"Mixed Case\",\"identity\":["
    "{\"name\":\"Id\",\"typeoid\":2950,\"value\":\"a0eebc99-9c0b-4ef8-bb6d-6b"
    "b9bd380a11\"},{\"name\":\"a \\\"q\\\"\",\"typeoid\":25,\"value\":\"y\"},"
    "{\"name\":\"\303\274n\303\257\",\"typeoid\":25,\"value\":null}]}";

static const char  line_toast[] =
    "{\"action\":\"U\",\"xid\":855,\"lsn\":\"0/1665448\""
    ",\"schema\":\"public\",\"table\":\"toasted\",\"columns\":["
    "{\"name\":\"id\",\"typeoid\":23,\"value\":1},"
    "{\"name\":\"k\",\"typeoid\":25,\"value\":\"k2\"}],\"identity\":["
    "{\"name\":\"id\",\"typeoid\":23,\"value\":1}]}";

static const char  line_full[] =
    "{\"action\":\"U\",\"xid\":858,\"lsn\":\"0/1666180\""
    ",\"schema\":\"public\",\"table\":\"toasted_full\",\"columns\":["
    "{\"name\":\"id\",\"typeoid\":23,\"value\":1},"
    "{\"name\":\"k\",\"typeoid\":25,\"value\":\"k2\"}],\"identity\":["
    "{\"name\":\"id\",\"typeoid\":23,\"value\":1},"
    "{\"name\":\"k\",\"typeoid\":25,\"value\":\"k\"},"
    "{\"name\":\"big\",\"typeoid\":25,\"value\":\"c4ca4238a0b923820dcc509a6f7"
    "5849b\"}]}";

static const char  line_truncate[] =
    "{\"action\":\"T\",\"xid\":863,\"lsn\":\"0/1667D20\""
    ",\"schema\":\"s x\",\"table\":\"tr\"}";

static const char  line_message[] =
    "{\"action\":\"M\",\"xid\":864,\"lsn\":\"0/1667F38\",\"transactional\":tr"
    "ue,\"prefix\":\"pre\",\"content\":\"hello \\\"w\\\"\"}";

static const char  line_beat[] =
    "{\"action\":\"M\",\"xid\":null,\"lsn\":\"0/1667F70\",\"transactional\":f"
    "alse,\"prefix\":\"beat\",\"content\":\"\"}";


#endif /* _WAL2JSON_LINES_H_INCLUDED_ */
