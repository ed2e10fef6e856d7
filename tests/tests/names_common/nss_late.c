/* A name service of its own temper, for nsswitch.conf(5): `passwd: files late` and the same for groups. Its users are the lines of
 * /etc/late/passwd. How it behaves is the first word of /etc/late/mode: answer, notfound, unavailable, tryagain, hang or
 * slow (an answer after 3 s); if there is a second word, a list with commas, only processes of those names see it, and others
 * get answers. Whom it was asked for is in /run/late, one a line. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <nss.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void words(const char *path, char *first, char *second) {
    FILE *file = fopen(path, "re");
    first[0] = second[0] = 0;
    if (file) {
        if (fscanf(file, "%31s %31s", first, second) < 0)
            first[0] = 0;
        fclose(file);
    }
}

static enum nss_status temper(const char *whom, int *errnop) {
    char line[300], mode[32], only[32], own[32], none[32], list[40], item[40];
    int length = snprintf(line, sizeof line, "%.290s\n", whom);
    int log = open("/run/late", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (log >= 0) {
        if (write(log, line, length) < 0)
            perror("/run/late");
        close(log);
    }
    words("/etc/late/mode", mode, only);
    words("/proc/self/comm", own, none);
    snprintf(list, sizeof list, ",%s,", only);
    snprintf(item, sizeof item, ",%s,", own);
    if (only[0] && !strstr(list, item))
        return NSS_STATUS_SUCCESS;
    if (!strcmp(mode, "hang"))
        for (;;)
            pause();
    if (!strcmp(mode, "slow"))
        sleep(3);
    *errnop = !strcmp(mode, "tryagain") ? EAGAIN : ENOENT;
    if (!strcmp(mode, "tryagain"))
        return NSS_STATUS_TRYAGAIN;
    if (!strcmp(mode, "unavailable"))
        return NSS_STATUS_UNAVAIL;
    return strcmp(mode, "notfound") ? NSS_STATUS_SUCCESS : NSS_STATUS_NOTFOUND;
}

static enum nss_status find(const char *name, uid_t uid, struct passwd *pw, char *buf, size_t len, int *errnop) {
    char number[32];
    snprintf(number, sizeof number, "%u", uid);
    enum nss_status status = temper(name ? name : number, errnop);
    if (status != NSS_STATUS_SUCCESS)
        return status;
    FILE *file = fopen("/etc/late/passwd", "re");
    struct passwd *found = NULL;
    while (file && fgetpwent_r(file, pw, buf, len, &found) == 0)
        if (name ? !strcmp(pw->pw_name, name) : pw->pw_uid == uid)
            break;
        else
            found = NULL;
    if (file)
        fclose(file);
    return found ? NSS_STATUS_SUCCESS : NSS_STATUS_NOTFOUND;
}

enum nss_status _nss_late_getpwnam_r(const char *name, struct passwd *pw, char *buf, size_t len, int *errnop) {
    return find(name, 0, pw, buf, len, errnop);
}

/* Nobody is in any group of its; only processes that the mode names notice its temper, for everybody who logs in asks. */
enum nss_status _nss_late_initgroups_dyn(const char *name, gid_t group, long *start, long *size, gid_t **groups,
                                         long limit, int *errnop) {
    (void)group, (void)start, (void)size, (void)groups, (void)limit;
    char mode[32], only[32];
    words("/etc/late/mode", mode, only);
    enum nss_status status = only[0] ? temper(name, errnop) : NSS_STATUS_SUCCESS;
    return status == NSS_STATUS_SUCCESS ? NSS_STATUS_NOTFOUND : status;
}

enum nss_status _nss_late_getpwuid_r(uid_t uid, struct passwd *pw, char *buf, size_t len, int *errnop) {
    return find(NULL, uid, pw, buf, len, errnop);
}
