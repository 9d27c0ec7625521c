/*
 * The directives kairos_auth*.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "ngx_http_kairos_conf_private.h"


/* bytes of a file with a secret or a key */
#define NGX_HTTP_KAIROS_CONF_FILE  65536


static ngx_int_t ngx_http_kairos_conf_auth_add_secret(ngx_conf_t *cf,
    ngx_http_kairos_auth_conf_t *auth, ngx_str_t *value);
static ngx_int_t ngx_http_kairos_conf_auth_env(ngx_conf_t *cf,
    const ngx_str_t *name, ngx_str_t *secret);
static ngx_int_t ngx_http_kairos_conf_auth_file(ngx_conf_t *cf,
    ngx_str_t *name, ngx_str_t *text);
static ngx_int_t ngx_http_kairos_conf_auth_read(ngx_conf_t *cf,
    ngx_file_t *file, ngx_str_t *text);
static char *ngx_http_kairos_conf_auth_check_key(ngx_conf_t *cf,
    ngx_http_kairos_auth_conf_t *auth);
static void ngx_http_kairos_conf_auth_keys(
    ngx_http_kairos_auth_conf_t *auth, ngx_uint_t secrets);


void
ngx_http_kairos_conf_auth_unset(ngx_http_kairos_auth_conf_t *auth)
{
    /*
     * set by ngx_pcalloc():
     *
     *     auth->key = { 0, NULL };
     *     auth->key_file = { 0, NULL };
     *     auth->cookie = { 0, NULL };
     *     auth->policy.issuer = { 0, NULL };
     *     auth->signer = NULL;
     */

    auth->on = NGX_CONF_UNSET;
    auth->secrets = NGX_CONF_UNSET_PTR;
    auth->algorithm = NGX_CONF_UNSET_UINT;
    auth->lifetime = NGX_CONF_UNSET;
    auth->token = NGX_CONF_UNSET_PTR;
    auth->policy.leeway = NGX_CONF_UNSET;
}


char *
ngx_http_kairos_conf_auth_merge(ngx_conf_t *cf,
    ngx_http_kairos_auth_conf_t *prev, ngx_http_kairos_auth_conf_t *conf)
{
    ngx_str_t   name = ngx_string("HS256");
    ngx_uint_t  algorithm;

    if (ngx_http_kairos_jwt_algorithm(&name, &algorithm) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    ngx_conf_merge_value(conf->on, prev->on, 0);
    ngx_conf_merge_ptr_value(conf->secrets, prev->secrets, NULL);
    ngx_conf_merge_str_value(conf->key, prev->key, "");
    ngx_conf_merge_str_value(conf->key_file, prev->key_file, "");
    ngx_conf_merge_uint_value(conf->algorithm, prev->algorithm, algorithm);
    ngx_conf_merge_sec_value(conf->lifetime, prev->lifetime, 30 * 24 * 3600);
    ngx_conf_merge_str_value(conf->cookie, prev->cookie, "");
    ngx_conf_merge_ptr_value(conf->token, prev->token, NULL);
    ngx_conf_merge_sec_value(conf->policy.leeway, prev->policy.leeway, 0);
    ngx_conf_merge_str_value(conf->policy.issuer, prev->policy.issuer,
                             "kairos");

    return NGX_CONF_OK;
}


/*
 * Checks the keys of a location where kairos_auth is on, and fills
 * auth->policy's keys, in the order in which they are tried, and auth->signer.
 * NGX_CONF_ERROR: logged.
 */
char *
ngx_http_kairos_conf_auth_check(ngx_conf_t *cf,
    ngx_http_kairos_auth_conf_t *auth)
{
    size_t       size;
    ngx_str_t   *secret;
    ngx_uint_t   i, n;

    n = (auth->secrets != NULL) ? auth->secrets->nelts : 0;
    size = ngx_http_kairos_jwt_secret_size(auth->algorithm);

    if (n == 0 && auth->key.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "kairos_auth is on and there is no %s",
                           size ? "kairos_auth_secret" : "kairos_auth_key");
        return NGX_CONF_ERROR;
    }

    if (ngx_http_kairos_conf_auth_check_key(cf, auth) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (size == 0) {

        /* with a public key, secrets sign connection tokens, with HS256 */
        size = 32;
    }

    for (i = 0; i < n; i++) {
        secret = (ngx_str_t *) auth->secrets->elts + i;

        if (secret->len < size) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "secret %ui of kairos_auth_secret has %uz "
                               "bytes, it can be guessed, give it %uz or more",
                               i + 1, secret->len, size);
        }
    }

    auth->policy.keys = ngx_pcalloc(cf->pool, (n + 1)
                                    * sizeof(ngx_http_kairos_jwt_key_t));
    if (auth->policy.keys == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_http_kairos_conf_auth_keys(auth, n);

    return NGX_CONF_OK;
}


/* Each value is a secret itself, "file:PATH" or "env:NAME". */
char *
ngx_http_kairos_conf_auth_secret(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_kairos_loc_conf_t *klcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (klcf->auth.secrets != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    klcf->auth.secrets = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                          sizeof(ngx_str_t));
    if (klcf->auth.secrets == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_http_kairos_conf_auth_add_secret(cf, &klcf->auth, &value[i])
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/*
 * Adds one value's secret to auth->secrets.  NGX_ERROR: logged, or no memory.
 */
static ngx_int_t
ngx_http_kairos_conf_auth_add_secret(ngx_conf_t *cf,
    ngx_http_kairos_auth_conf_t *auth, ngx_str_t *value)
{
    ngx_int_t   rc;
    ngx_str_t  *secret, rest;

    secret = ngx_array_push(auth->secrets);
    if (secret == NULL) {
        return NGX_ERROR;
    }

    if (ngx_strncmp(value->data, "env:", 4) == 0) {
        rest.data = value->data + 4;
        rest.len = value->len - 4;

        return ngx_http_kairos_conf_auth_env(cf, &rest, secret);
    }

    if (ngx_strncmp(value->data, "file:", 5) == 0) {
        rest.data = value->data + 5;
        rest.len = value->len - 5;

        rc = ngx_http_kairos_conf_auth_file(cf, &rest, secret);

        /* the line's end that editors add is no part of the secret */

        if (rc == NGX_OK && secret->data[secret->len - 1] == LF) {
            secret->len--;
        }

        if (rc == NGX_OK && secret->len
            && secret->data[secret->len - 1] == CR)
        {
            secret->len--;
        }

    } else {
        *secret = *value;
        rc = NGX_OK;
    }

    if (rc == NGX_OK && secret->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "kairos_auth_secret is empty");
        return NGX_ERROR;
    }

    return rc;
}


/*
 * Copies the secret from the environment.  The name ends with a zero byte, as
 * it is the end of a directive's value.  NGX_ERROR: logged, or no memory.
 */
static ngx_int_t
ngx_http_kairos_conf_auth_env(ngx_conf_t *cf, const ngx_str_t *name,
    ngx_str_t *secret)
{
    char  *text;

    text = getenv((char *) name->data);

    if (text == NULL || text[0] == '\0') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "environment variable \"%V\" of "
                           "kairos_auth_secret is not set, or empty", name);
        return NGX_ERROR;
    }

    /* a copy: nginx may move the strings of its environment */

    secret->len = ngx_strlen(text);
    secret->data = ngx_pnalloc(cf->pool, secret->len);
    if (secret->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(secret->data, text, secret->len);

    return NGX_OK;
}


char *
ngx_http_kairos_conf_auth_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_kairos_loc_conf_t *klcf = conf;

    ngx_str_t  *value;

    if (klcf->auth.key.data != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_http_kairos_conf_auth_file(cf, &value[1], &klcf->auth.key)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    klcf->auth.key_file = value[1];

    return NGX_CONF_OK;
}


/*
 * Reads the text of a file, from 1 to NGX_HTTP_KAIROS_CONF_FILE bytes; its
 * name becomes absolute.  NGX_ERROR: logged, or no memory.
 */
static ngx_int_t
ngx_http_kairos_conf_auth_file(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *text)
{
    ngx_int_t    rc;
    ngx_file_t   file;

    if (ngx_conf_full_name(cf->cycle, name, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memzero(&file, sizeof(ngx_file_t));

    file.name = *name;
    file.log = cf->log;
    file.fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (file.fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", name);
        return NGX_ERROR;
    }

    rc = ngx_http_kairos_conf_auth_read(cf, &file, text);

    if (ngx_close_file(file.fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", name);
    }

    return rc;
}


/*
 * The same, of an open file.
 */
static ngx_int_t
ngx_http_kairos_conf_auth_read(ngx_conf_t *cf, ngx_file_t *file,
    ngx_str_t *text)
{
    size_t   size;
    ssize_t  n;

    if (ngx_fd_info(file->fd, &file->info) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", &file->name);
        return NGX_ERROR;
    }

    size = (size_t) ngx_file_size(&file->info);

    if (!ngx_is_file(&file->info) || size == 0
        || size > NGX_HTTP_KAIROS_CONF_FILE)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is no file of 1 to %ui bytes",
                           &file->name,
                           (ngx_uint_t) NGX_HTTP_KAIROS_CONF_FILE);
        return NGX_ERROR;
    }

    text->data = ngx_pnalloc(cf->pool, size);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    n = ngx_read_file(file, text->data, size, 0);

    if (n == NGX_ERROR || (size_t) n != size) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "could not read \"%V\"", &file->name);
        return NGX_ERROR;
    }

    text->len = size;

    return NGX_OK;
}


char *
ngx_http_kairos_conf_auth_algorithm(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_kairos_loc_conf_t *klcf = conf;

    ngx_str_t  *value;

    if (klcf->auth.algorithm != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_http_kairos_jwt_algorithm(&value[1], &klcf->auth.algorithm)
        != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "kairos_auth_algorithm \"%V\" is not supported, it "
                           "must be HS256, HS384, HS512, RS256, RS384, RS512, "
                           "ES256, ES384 or ES512", &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


char *
ngx_http_kairos_conf_auth_cookie(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_kairos_loc_conf_t *klcf = conf;

    u_char     *p;
    ngx_str_t  *value, *cookie;

    cookie = &klcf->auth.cookie;

    if (cookie->data != NULL) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return "has an empty name";
    }

    cookie->len = sizeof("cookie_") - 1 + value[1].len;
    cookie->data = ngx_pnalloc(cf->pool, cookie->len);
    if (cookie->data == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_cpymem(cookie->data, "cookie_", sizeof("cookie_") - 1);
    ngx_memcpy(p, value[1].data, value[1].len);

    return NGX_CONF_OK;
}


/*
 * Checks that there is a public key if the algorithm takes one, and only then,
 * and that the key can be used.  NGX_CONF_ERROR: logged.
 */
static char *
ngx_http_kairos_conf_auth_check_key(ngx_conf_t *cf,
    ngx_http_kairos_auth_conf_t *auth)
{
    const char  *reason;

    if (ngx_http_kairos_jwt_secret_size(auth->algorithm)) {

        if (auth->key.len) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "kairos_auth_key \"%V\" is of no use to "
                               "kairos_auth_algorithm HS..., which takes a "
                               "kairos_auth_secret", &auth->key_file);
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    if (auth->key.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "kairos_auth_algorithm takes a public key, and "
                           "there is no kairos_auth_key");
        return NGX_CONF_ERROR;
    }

    reason = ngx_http_kairos_jwt_check_key(&auth->key, auth->algorithm);

    if (reason != NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "kairos_auth_key \"%V\" cannot be used: %s",
                           &auth->key_file, reason);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * Fills auth->policy.keys: the public key, if there is one, then the secrets.
 * The first secret signs.
 */
static void
ngx_http_kairos_conf_auth_keys(ngx_http_kairos_auth_conf_t *auth,
    ngx_uint_t secrets)
{
    ngx_str_t                   name = ngx_string("HS256");
    ngx_uint_t                  i;
    ngx_http_kairos_jwt_key_t  *key;

    key = auth->policy.keys;

    if (auth->key.len) {
        key->algorithm = auth->algorithm;
        key->key = auth->key;
        key++;
    }

    for (i = 0; i < secrets; i++, key++) {
        key->algorithm = auth->algorithm;
        key->key = ((ngx_str_t *) auth->secrets->elts)[i];

        if (auth->key.len) {
            (void) ngx_http_kairos_jwt_algorithm(&name, &key->algorithm);
            key->own = 1;
        }
    }

    auth->policy.nkeys = key - auth->policy.keys;

    if (secrets) {
        auth->signer = &auth->policy.keys[auth->key.len ? 1 : 0];
    }
}
