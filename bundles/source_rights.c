/*
 * Rights are given up in the process that reads, before it touches what it reads. Whoever reads files is nobody
 * who may read everything (CAP_DAC_READ_SEARCH): a fault in a parser, or a file of /sys that acts when it is
 * written, gains nothing.
 */

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "bundles/source_child.h"

#define PASSWD_BYTES 16384u
#define READ_BIT     (1u << CAP_DAC_READ_SEARCH)

_Static_assert(CAP_DAC_READ_SEARCH < 32, "the first word of two");

static int look_up(const char *user, uid_t *ret_uid, gid_t *ret_gid, struct err *e)
{
        char text[PASSWD_BYTES];
        struct passwd entry, *found;
        int k = getpwnam_r(user, &entry, text, sizeof(text), &found);

        if (k != 0)
                return err_set(e, -k, "user %s: %s", user, strerror(k));
        if (!found)
                return err_set(e, -ESRCH, "user %s: no such user", user);
        *ret_uid = entry.pw_uid;
        *ret_gid = entry.pw_gid;
        return 0;
}

static int change_ids(const char *user, struct err *e)
{
        uid_t uid = 0;
        gid_t gid = 0;
        int k = look_up(user, &uid, &gid, e);

        if (k < 0)
                return k;
        if (uid == 0)
                return 0;
        if (setgroups(1, &gid) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
                return err_set(e, -errno, "cannot become user %s: %s", user, strerror(errno));
        return 0;
}

/* Who changes its ids would outlive its parent. */
static int stay_bound(void)
{
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        return 0;
}

int source_become(const char *user, struct err *e)
{
        int k;

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return err_set(e, -errno, "cannot give up rights: %s", strerror(errno));
        k = geteuid() == 0 ? change_ids(user, e) : 0;
        return k < 0 ? k : stay_bound();
}

static int set_capabilities(uint32_t bits, struct err *e)
{
        struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[2] = {
                {.effective = bits, .permitted = bits}
        };

        if (syscall(SYS_capset, &head, data) < 0)
                return err_set(e, -errno, "cannot keep the right to read: %s", strerror(errno));
        return 0;
}

static bool may_read_everything(void)
{
        struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[2] = {0};

        return syscall(SYS_capget, &head, data) == 0 && (data[0].permitted & READ_BIT);
}

int source_become_reader(const char *user, struct err *e)
{
        int k;

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
                return err_set(e, -errno, "cannot give up rights: %s", strerror(errno));
        if (geteuid() != 0 || !may_read_everything())
                return 0;
        k = change_ids(user, e);
        if (k >= 0)
                k = set_capabilities(READ_BIT, e);
        return k < 0 ? k : stay_bound();
}
