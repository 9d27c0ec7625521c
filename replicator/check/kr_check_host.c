/*
 * --check: this machine's clock, and the path of the socket.
 */

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "kr_check_private.h"


#define KR_CHECK_CLOCK  5000        /* ms; largest difference of the clocks */
#define KR_CHECK_PATH   sizeof(((struct sockaddr_un *) NULL)->sun_path)


static long long kr_check_ms(void);
static int kr_check_folder(kr_check_t *ck, const char *folder);
static int kr_check_place(kr_check_t *ck);
static int kr_check_listens(const char *path);
static int kr_check_group(kr_check_t *ck);
static const char *kr_check_user(void);


/* The server's time was read between the times of the query and its answer. */
void
kr_check_clock(kr_check_t *ck)
{
    PGresult   *res;
    long long   before, after, server, off;

    before = kr_check_ms();

    res = kr_check_query(ck, "the server's clock",
                         "SELECT pg_catalog.trunc(1000 * EXTRACT(epoch FROM"
                         " pg_catalog.clock_timestamp()))::bigint", NULL);
    if (res == NULL) {
        return;
    }

    after = kr_check_ms();
    server = strtoll(PQgetvalue(res, 0, 0), NULL, 10);
    PQclear(res);

    off = 0;

    if (server < before) {
        off = before - server;

    } else if (server > after) {
        off = server - after;
    }

    if (off <= KR_CHECK_CLOCK) {
        kr_buf_str(&ck->text, "the clocks of this machine and of PostgreSQL's "
                   "agree");
        kr_check_say(ck, KR_CHECK_GOOD);
        return;
    }

    kr_buf_printf(&ck->text, "this machine's clock is %lld.%lld s %s "
                  "PostgreSQL's: \"sent_at\" and the end of tokens are wrong "
                  "on one of them", off / 1000, off % 1000 / 100,
                  (server < before) ? "ahead of" : "behind");
    kr_buf_str(&ck->fix, "timedatectl set-ntp true, on the one that is "
               "wrong");
    kr_check_say(ck, KR_CHECK_FAULT);
}


void
kr_check_socket(kr_check_t *ck)
{
    char         folder[KR_CHECK_PATH];
    const char  *slash;

    slash = strrchr(ck->cf->socket, '/');

    if (slash == NULL) {
        snprintf(folder, sizeof(folder), ".");

    } else {
        snprintf(folder, sizeof(folder), "%.*s",
                 (slash == ck->cf->socket) ? 1
                                           : (int) (slash - ck->cf->socket),
                 ck->cf->socket);
    }

    if (kr_check_folder(ck, folder) == KR_OK && kr_check_place(ck) == KR_OK
        && kr_check_group(ck) == KR_OK)
    {
        kr_buf_printf(&ck->text, "the socket %s %s", ck->cf->socket,
                      kr_check_listens(ck->cf->socket)
                      ? "is there, a replicator listens" : "can be made");
        kr_check_say(ck, KR_CHECK_GOOD);
    }
}


static long long
kr_check_ms(void)
{
    struct timeval  tv;

    gettimeofday(&tv, NULL);

    return tv.tv_sec * 1000LL + tv.tv_usec / 1000;
}


/* The program makes and replaces the socket and the mark in this folder. */
static int
kr_check_folder(kr_check_t *ck, const char *folder)
{
    struct stat  st;

    if (stat(folder, &st) == -1) {
        kr_buf_printf(&ck->text, "the socket's folder %s: %s", folder,
                      strerror(errno));
        kr_buf_printf(&ck->fix, "install -d -m 750 -o %s %s",
                      kr_check_user(), folder);

    } else if (!S_ISDIR(st.st_mode)) {
        kr_buf_printf(&ck->text, "the socket's folder %s is not a folder",
                      folder);
        kr_buf_str(&ck->fix, "name another in KAIROS_SOCKET");

    } else if (access(folder, W_OK|X_OK) == -1) {
        kr_buf_printf(&ck->text, "the socket's folder %s is not writable for "
                      "%s: %s", folder, kr_check_user(), strerror(errno));
        kr_buf_printf(&ck->fix, "chown %s %s", kr_check_user(), folder);

    } else {
        return KR_OK;
    }

    kr_check_say(ck, KR_CHECK_FAULT);

    return KR_DECLINED;
}


/* The program replaces an old socket, but no file of another kind. */
static int
kr_check_place(kr_check_t *ck)
{
    struct stat  st;

    if (lstat(ck->cf->socket, &st) == -1 || S_ISSOCK(st.st_mode)) {
        return KR_OK;
    }

    kr_buf_printf(&ck->text, "%s exists and is not a socket",
                  ck->cf->socket);
    kr_buf_str(&ck->fix, "remove it, or name another in KAIROS_SOCKET");
    kr_check_say(ck, KR_CHECK_FAULT);

    return KR_DECLINED;
}


static int
kr_check_listens(const char *path)
{
    int                 fd, rc;
    struct sockaddr_un  sun;

    fd = socket(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);
    if (fd == -1) {
        return 0;
    }

    memset(&sun, 0, sizeof(struct sockaddr_un));
    sun.sun_family = AF_UNIX;
    memcpy(sun.sun_path, path, strlen(path));

    rc = connect(fd, (struct sockaddr *) &sun, sizeof(struct sockaddr_un));
    close(fd);

    return rc == 0;
}


static int
kr_check_group(kr_check_t *ck)
{
    int            i, n;
    gid_t          groups[64];
    struct group  *gr;

    if (ck->cf->socket_group == NULL) {
        return KR_OK;
    }

    gr = getgrnam(ck->cf->socket_group);

    if (gr == NULL) {
        kr_buf_printf(&ck->text, "the group \"%s\" of KAIROS_SOCKET_GROUP "
                      "does not exist", ck->cf->socket_group);
        kr_buf_printf(&ck->fix, "groupadd --system %s",
                      ck->cf->socket_group);
        kr_check_say(ck, KR_CHECK_FAULT);
        return KR_DECLINED;
    }

    if (geteuid() == 0 || getegid() == gr->gr_gid) {
        return KR_OK;
    }

    n = getgroups(sizeof(groups) / sizeof(groups[0]), groups);

    for (i = 0; i < n; i++) {
        if (groups[i] == gr->gr_gid) {
            return KR_OK;
        }
    }

    kr_buf_printf(&ck->text, "%s is not a member of the group \"%s\" of "
                  "KAIROS_SOCKET_GROUP", kr_check_user(),
                  ck->cf->socket_group);
    kr_buf_printf(&ck->fix, "usermod -aG %s %s", ck->cf->socket_group,
                  kr_check_user());
    kr_check_say(ck, KR_CHECK_FAULT);

    return KR_DECLINED;
}


static const char *
kr_check_user(void)
{
    struct passwd  *pw;

    pw = getpwuid(geteuid());

    return (pw != NULL) ? pw->pw_name : "this user";
}
