/*
 * The reasons for which a session ends, for its client and the log.  The
 * numbers are WebSocket's close codes (RFC 6455, section 7.4.1, and the IANA
 * registry), which clients, logs and the documentation name; the WebSocket
 * transport sends the numbers unchanged.  A transport without close codes
 * translates them.
 */

#ifndef _NGX_HTTP_KAIROS_CLOSE_H_INCLUDED_
#define _NGX_HTTP_KAIROS_CLOSE_H_INCLUDED_


#define NGX_HTTP_KAIROS_CLOSE_NORMAL       1000
#define NGX_HTTP_KAIROS_CLOSE_GOING_AWAY   1001
#define NGX_HTTP_KAIROS_CLOSE_PROTOCOL     1002
#define NGX_HTTP_KAIROS_CLOSE_UNSUPPORTED  1003
#define NGX_HTTP_KAIROS_CLOSE_NO_STATUS    1005   /* never on the wire */
#define NGX_HTTP_KAIROS_CLOSE_INVALID      1007
#define NGX_HTTP_KAIROS_CLOSE_POLICY       1008
#define NGX_HTTP_KAIROS_CLOSE_TOO_BIG      1009
#define NGX_HTTP_KAIROS_CLOSE_INTERNAL     1011
#define NGX_HTTP_KAIROS_CLOSE_RESTART      1012
#define NGX_HTTP_KAIROS_CLOSE_OVERLOAD     1013


#endif /* _NGX_HTTP_KAIROS_CLOSE_H_INCLUDED_ */
