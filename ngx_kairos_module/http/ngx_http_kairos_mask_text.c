/*
 * Tokens in text.  Without nginx's functions, so that this file links alone.
 */

#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_http_kairos_mask.h"


void
ngx_http_kairos_mask_text(u_char *text, size_t len)
{
    u_char  *p, *last;

    last = text + len;

    for (p = text; p < last; p++) {
        if (*p == '?') {
            ngx_http_kairos_mask_arguments(p + 1, last);
            return;
        }
    }
}


void
ngx_http_kairos_mask_arguments(u_char *p, u_char *last)
{
    u_char  *name, *value;

    while (p < last) {
        name = p;

        while (p < last && *p != '&' && *p != '=' && *p != ' ') {
            p++;
        }

        if (p < last && *p == '=') {
            value = ++p;

            while (p < last && *p != '&' && *p != ' ') {
                p++;
            }

            /* each JWT begins with a brace and a quote in base64url */

            if ((value - name == sizeof("token=") - 1
                 && strncasecmp((char *) name, "token=",
                                sizeof("token=") - 1) == 0)
                || (p - value > 3 && ngx_memcmp(value, "eyJ", 3) == 0))
            {
                ngx_memset(value, '*', p - value);
            }
        }

        /* the version of HTTP follows the arguments of a request line */

        if (p < last && *p == ' ') {
            return;
        }

        p++;
    }
}
