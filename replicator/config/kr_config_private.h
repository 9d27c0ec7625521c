/*
 * What the files of the settings share.  Nobody else includes this.
 */

#ifndef _KR_CONFIG_PRIVATE_H_INCLUDED_
#define _KR_CONFIG_PRIVATE_H_INCLUDED_


#include <stddef.h>

#include "kr_config.h"


#define KR_CONFIG_REASON  256

#define KR_SECOND         1000LL
#define KR_MINUTE         (60 * KR_SECOND)
#define KR_HOUR           (60 * KR_MINUTE)
#define KR_KILO           1024LL
#define KR_MEGA           (1024 * KR_KILO)
#define KR_GIGA           (1024 * KR_MEGA)


typedef struct kr_setting_s  kr_setting_t;

/*
 * Stores the value at field, a char * (the old one is freed), an int or a
 * size_t.  KR_ERROR: what is allowed was written to reason, of
 * KR_CONFIG_REASON bytes.
 */
typedef int (*kr_setting_pt)(const kr_setting_t *s, void *field,
    const char *value, char *reason);

struct kr_setting_s {
    const char     *env;
    const char     *option;
    const char     *arg;          /* what --help calls the value */
    kr_setting_pt   set;
    size_t          offset;
    const char     *dflt;         /* NULL: stays zero */
    long long       min;
    long long       max;
    const char     *help;
};


/* kr_config_table.c; the last has no env */
extern const kr_setting_t  kr_settings[];


/* kr_config_value.c */

int kr_set_string(const kr_setting_t *s, void *field, const char *value,
    char *reason);
int kr_set_secret(const kr_setting_t *s, void *field, const char *value,
    char *reason);
int kr_set_url(const kr_setting_t *s, void *field, const char *value,
    char *reason);
int kr_set_host(const kr_setting_t *s, void *field, const char *value,
    char *reason);
int kr_set_port(const kr_setting_t *s, void *field, const char *value,
    char *reason);
int kr_set_name(const kr_setting_t *s, void *field, const char *value,
    char *reason);
int kr_set_slot(const kr_setting_t *s, void *field, const char *value,
    char *reason);
int kr_set_path(const kr_setting_t *s, void *field, const char *value,
    char *reason);
int kr_set_level(const kr_setting_t *s, void *field, const char *value,
    char *reason);
int kr_set_flag(const kr_setting_t *s, void *field, const char *value,
    char *reason);
int kr_set_count(const kr_setting_t *s, void *field, const char *value,
    char *reason);
int kr_set_time(const kr_setting_t *s, void *field, const char *value,
    char *reason);
int kr_set_ms(const kr_setting_t *s, void *field, const char *value,
    char *reason);
int kr_set_size(const kr_setting_t *s, void *field, const char *value,
    char *reason);


/* kr_config_database.c */

/* Whether this value of HOSTNAME is meant as the database's host. */
int kr_config_is_database(const char *hostname);

/*
 * Notes a HOSTNAME that is not, for --check to tell of.  The second forgets
 * it again if there is another host.  KR_ERROR: no memory.
 */
int kr_config_ignore_host(kr_config_t *cf, const char *hostname);
int kr_config_judge_host(kr_config_t *cf);

/*
 * Puts host, port, user, password and database name into database_url, as
 * one string of key=value pairs, and frees them.  over: they win over what
 * the URL says; else they stand in for what it leaves out.  KR_ERROR: no
 * memory.
 */
int kr_config_database(kr_config_t *cf, int over);


#endif /* _KR_CONFIG_PRIVATE_H_INCLUDED_ */
