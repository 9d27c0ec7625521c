/*
 * Declarations that the kr_config*.c files share; only they include this.
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
 * Stores the value at field, a char * (the old string is freed), an int or a
 * size_t.  KR_OK; KR_ERROR: reason, of KR_CONFIG_REASON bytes, gets the values
 * that are allowed.
 */
typedef int (*kr_setting_pt)(const kr_setting_t *s, void *field,
    const char *value, char *reason);

struct kr_setting_s {
    const char     *env;
    const char     *option;
    const char     *arg;          /* the value's name in --help */
    kr_setting_pt   set;
    size_t          offset;
    const char     *dflt;         /* NULL: the member stays zero */
    long long       min;
    long long       max;
    const char     *help;
};


/* kr_config_table.c; env of the last entry is NULL */
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

/*
 * Whether this value of HOSTNAME counts as the database's host: another
 * setting of the database is in the environment, and the value is not this
 * machine's name.
 */
int kr_config_is_database(const char *hostname);

/*
 * kr_config_ignore_host() stores a HOSTNAME that does not count, for --check.
 * kr_config_check_ignored() frees it if another setting names a host.  KR_OK;
 * KR_ERROR: no memory.
 */
int kr_config_ignore_host(kr_config_t *cf, const char *hostname);
int kr_config_check_ignored(kr_config_t *cf);

/*
 * Moves host, port, user, password and database name into database_url, as
 * one string of key=value pairs.  over: they replace the URL's parts; else
 * they are used only for parts that the URL does not have.  KR_OK; KR_ERROR:
 * no memory.
 */
int kr_config_database(kr_config_t *cf, int over);


#endif /* _KR_CONFIG_PRIVATE_H_INCLUDED_ */
