/*
 * It finds the addresses of a name, waits for nobody, and leaves a thread that hangs behind in good order.
 * getaddrinfo() is the test's own, by the linker's hand.
 */

#include <arpa/inet.h>
#include <netdb.h>
#include <semaphore.h>

#include "aggregator/discovery_dns.h"
#include "base/mono.h"
#include "tests/unit/findings.h"

#define INTERVAL_USEC (10 * USEC_PER_MSEC)

int __wrap_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret);
void __wrap_freeaddrinfo(struct addrinfo *list);

/* What a server of names says: addresses with blanks between, or an error. */
static struct {
        const char *addresses;
        int error;
        bool hangs;
        sem_t asked, go_on;
        atomic_uint n_asked, n_inside, n_inside_max;
} names;

static struct findings findings;
static struct discovery_dns *dns;

static struct addrinfo *new_address(const char *text, struct addrinfo *next)
{
        struct addrinfo *ai = calloc(1, sizeof(*ai) + sizeof(struct sockaddr_in6));
        struct sockaddr_in6 *in6 = (void *)(ai + 1);
        struct sockaddr_in *in = (void *)(ai + 1);

        ai->ai_addr = (void *)(ai + 1);
        ai->ai_next = next;
        ai->ai_family = strchr(text, ':') ? AF_INET6 : *text == '?' ? AF_UNIX : AF_INET;
        ai->ai_addr->sa_family = (sa_family_t)ai->ai_family;
        if (ai->ai_family == AF_INET6)
                (void)inet_pton(AF_INET6, text, &in6->sin6_addr);
        else
                (void)inet_pton(AF_INET, text, &in->sin_addr);
        return ai;
}

int __wrap_getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                       struct addrinfo **ret)
{
        _cleanup_(freep) char *copy = strdup(names.addresses);
        struct addrinfo *list = NULL;
        unsigned inside = atomic_fetch_add(&names.n_inside, 1) + 1;
        char *state;

        if (inside > atomic_load(&names.n_inside_max))
                atomic_store(&names.n_inside_max, inside);
        atomic_fetch_add(&names.n_asked, 1);
        if (names.hangs) {
                (void)sem_post(&names.asked);
                while (sem_wait(&names.go_on) < 0)
                        ;
        }
        if (!streq(name, "master.mesos") || service || hints->ai_family != AF_UNSPEC)
                abort();
        for (char *t = strtok_r(copy, " ", &state); t; t = strtok_r(NULL, " ", &state))
                list = new_address(t, list);
        *ret = list;
        atomic_fetch_sub(&names.n_inside, 1);
        return names.error;
}

void __wrap_freeaddrinfo(struct addrinfo *list)
{
        while (list) {
                struct addrinfo *next = list->ai_next;

                free(list);
                list = next;
        }
}

static void begin(void)
{
        ck_assert_int_eq(discovery_dns_new(&dns, findings.loop, "master.mesos", INTERVAL_USEC,
                                           findings_take, &findings),
                         0);
        ck_assert_uint_eq(findings.n, 0);
}

static void setup(void)
{
        memset(&findings, 0, sizeof(findings));
        ck_assert_int_eq(loop_new(&findings.loop), 0);
        names.addresses = "";
        (void)sem_init(&names.asked, 0, 0);
        (void)sem_init(&names.go_on, 0, 0);
}

static void teardown(void)
{
        dns = discovery_dns_free(dns);
        findings_done(&findings);
}

static const struct {
        const char *addresses;
        int error;
        const char *said, *why;
} answers[] = {
        {"10.0.0.1",                      0,          "ok: master=10.0.0.1",                                 ""                                    },
        {"10.0.0.3 10.0.0.1 10.0.0.2",    0,          "ok: master=10.0.0.1 master=10.0.0.2 master=10.0.0.3",
         ""                                                                                                                                        },
        {"10.0.0.1 2001:db8::1 10.0.0.1", 0,          "ok: master=10.0.0.1 master=2001:db8::1",              ""                                    },
        {"fe80::1 10.0.0.1 ?",            0,          "ok: master=10.0.0.1",                                 ""                                    },
        {"",                              0,          "failed",                                              "the name has no address"             },
        {"fe80::1",                       0,          "failed",                                              "the name has no address"             },
        {"",                              EAI_NONAME, "failed",                                              "Name or service not known"           },
        {"",                              EAI_AGAIN,  "failed",                                              "Temporary failure in name resolution"},
};

START_TEST(finds_the_addresses)
{
        names.addresses = answers[_i].addresses;
        names.error = answers[_i].error;
        begin();
        for (unsigned again = 0; again < 2; again++) {
                findings_wait(&findings, 1);
                ck_assert_str_eq(buf_cstr(&findings.said), answers[_i].said);
                ck_assert_str_eq(findings.error, answers[_i].why);
                ck_assert_int_eq(findings.seen_boot_usec > 0, !*answers[_i].why);
        }
        ck_assert_uint_eq(names.n_inside_max, 1);
}
END_TEST

START_TEST(takes_not_more_than_there_can_be)
{
        _cleanup_(buf_done) struct buf many = {0};
        unsigned n = 0;

        for (unsigned i = 0; i < 2 * DIAG_MASTERS_MAX; i++)
                buf_printf(&many, "10.0.1.%u ", i);
        names.addresses = buf_cstr(&many);
        begin();
        findings_wait(&findings, 1);
        for (const char *p = buf_cstr(&findings.said); (p = strstr(p, "master=")); p++)
                n++;
        ck_assert_uint_eq(n, DIAG_MASTERS_MAX);
}
END_TEST

/* While the clock seems to stand still long ago, every time to come is there at once. */
static void hang(void)
{
        static const uint64_t long_ago = 1;

        clock_fake(&long_ago);
        names.addresses = "10.0.0.1";
        names.hangs = true;
        begin();
        while (sem_trywait(&names.asked) < 0)
                ck_assert_int_ge(sd_event_run(loop_event(findings.loop), 1000), 0);
}

START_TEST(says_when_nobody_answers)
{
        hang();
        findings_wait(&findings, findings.n ? 0 : 1);
        ck_assert_str_eq(buf_cstr(&findings.said), "failed");
        ck_assert_str_eq(findings.error, "no server of names has answered so far");
        for (unsigned i = 0; i < 10; i++)
                ck_assert_int_ge(sd_event_run(loop_event(findings.loop), 1000), 0);
        ck_assert_uint_eq(findings.n, 1); /* once */
        ck_assert_uint_eq(names.n_asked, 1);
        (void)sem_post(&names.go_on);
        findings_wait(&findings, 1);
        ck_assert_str_eq(buf_cstr(&findings.said), "ok: master=10.0.0.1");
}
END_TEST

START_TEST(can_be_freed_while_it_hangs)
{
        hang();
        dns = discovery_dns_free(dns);
        findings.loop = loop_free(findings.loop);
        findings.n = 0;
        ck_assert_int_eq(loop_new(&findings.loop), 0);
        begin(); /* its turn comes when the other one is through */
        for (unsigned i = 0; i < 100; i++)
                ck_assert_int_ge(sd_event_run(loop_event(findings.loop), 1000), 0);
        ck_assert_uint_eq(findings.n, 0);
        ck_assert_uint_eq(names.n_asked, 1);
        (void)sem_post(&names.go_on);
        (void)sem_post(&names.go_on);
        while (!streq(buf_cstr(&findings.said), "ok: master=10.0.0.1"))
                ck_assert_int_ge(sd_event_run(loop_event(findings.loop), UINT64_MAX), 0);
        ck_assert_uint_eq(names.n_inside_max, 1);
}
END_TEST

/* Nobody waits for the thread: its end may come before, after, or while everything is freed. */
START_TEST(can_be_freed_at_any_moment)
{
        names.addresses = "10.0.0.1 10.0.0.2";
        for (unsigned i = 0; i < 200; i++) {
                ck_assert_int_eq(discovery_dns_new(&dns, findings.loop, "master.mesos",
                                                   INTERVAL_USEC, findings_take, &findings),
                                 0);
                for (unsigned turns = i % 4; turns > 0; turns--)
                        ck_assert_int_ge(sd_event_run(loop_event(findings.loop), 100), 0);
                dns = discovery_dns_free(dns);
        }
        while (atomic_load(&names.n_inside) > 0)
                (void)usleep(1000);
}
END_TEST

START_TEST(refuses_a_name_that_is_too_long)
{
        char name[FOUND_ADDRESS_MAX + 1];
        struct discovery_dns *none = NULL;

        memset(name, 'a', FOUND_ADDRESS_MAX);
        name[FOUND_ADDRESS_MAX] = '\0';
        ck_assert_int_lt(discovery_dns_new(&none, findings.loop, name, INTERVAL_USEC, findings_take,
                                           &findings),
                         0);
        ck_assert_ptr_null(none);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("discovery_dns");
        TCase *t = tcase_create("discovery_dns");

        tcase_set_timeout(t, 60);
        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_loop_test(t, finds_the_addresses, 0, ELEMENTSOF(answers));
        tcase_add_test(t, takes_not_more_than_there_can_be);
        tcase_add_test(t, says_when_nobody_answers);
        tcase_add_test(t, can_be_freed_while_it_hangs);
        tcase_add_test(t, can_be_freed_at_any_moment);
        tcase_add_test(t, refuses_a_name_that_is_too_long);
        suite_add_tcase(suite, t);
        return test_main(suite);
}
