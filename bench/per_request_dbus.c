/*
 * What a request costs that asks systemd anew, as the service that we replace does: two connections to
 * the system bus, two calls for each unit, one after the other. Run inside a node:
 *
 *     per_request_dbus UNITS REQUESTS PID-OF-DBUS-DAEMON
 *
 * Printed with GetAll (the Unit and the Service interface, as that service asks) and with Get of one
 * property each, the cheapest that 60 calls can be. Every request comes after the one before.
 */

#include <stdio.h>
#include <systemd/sd-bus.h>

#include "bench/ask.h"
#include "bench/distribution.h"

#define REQUESTS_MAX 100000ul
#define SYSTEMD      "org.freedesktop.systemd1"

struct way {
        const char *title, *member;
        const char *properties[2]; /* of Unit and of Service; NULL: all */
};

static const struct way ways[] = {
        {"60 GetAll calls on two connections", "GetAll", {NULL, NULL}                     },
        {"60 Get calls on two connections",    "Get",    {"ActiveState", "ExecMainStatus"}},
};

static int call(sd_bus *bus, const struct way *way, const char *path, unsigned which)
{
        static const char *const interfaces[] = {SYSTEMD ".Unit", SYSTEMD ".Service"};
        sd_bus_message *reply = NULL;
        int k;

        if (way->properties[which])
                k = sd_bus_call_method(bus, SYSTEMD, path, "org.freedesktop.DBus.Properties",
                                       way->member, NULL, &reply, "ss", interfaces[which],
                                       way->properties[which]);
        else
                k = sd_bus_call_method(bus, SYSTEMD, path, "org.freedesktop.DBus.Properties",
                                       way->member, NULL, &reply, "s", interfaces[which]);
        sd_bus_message_unref(reply);
        return k;
}

static int one_request(const struct way *way, unsigned long n_units)
{
        sd_bus *bus[2] = {NULL, NULL};
        int k = sd_bus_open_system(&bus[0]);

        if (k >= 0)
                k = sd_bus_open_system(&bus[1]);
        for (unsigned long i = 0; k >= 0 && i < n_units; i++) {
                char unit[48], *path = NULL;

                (void)snprintf(unit, sizeof(unit), "bench-%03lu.service", i);
                k = sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit, &path);
                for (unsigned which = 0; k >= 0 && which < 2; which++)
                        k = call(bus[which], way, path, which);
                free(path);
        }
        sd_bus_flush_close_unref(bus[0]);
        sd_bus_flush_close_unref(bus[1]);
        return k;
}

struct cpu {
        uint64_t own, systemd, bus;
};

static struct cpu cpu_now(int bus_pid)
{
        return (struct cpu){process_cpu_nsec((int)getpid()), process_cpu_nsec(1),
                            process_cpu_nsec(bus_pid)};
}

static double msec_each(uint64_t before, uint64_t after, unsigned long n)
{
        return (double)(after - before) / 1e6 / (double)n;
}

static int run(const struct way *way, unsigned long n_units, unsigned long n, int bus_pid)
{
        struct distribution d = {0};
        struct cpu before = cpu_now(bus_pid), after;
        uint64_t began = now_nsec();
        double seconds, own, systemd, bus;

        for (unsigned long i = 0; i < n; i++) {
                uint64_t asked = now_nsec();

                if (one_request(way, n_units) < 0) {
                        distribution_done(&d);
                        return -1;
                }
                distribution_add(&d, now_nsec() - asked);
        }
        seconds = (double)(now_nsec() - began) / 1e9;
        after = cpu_now(bus_pid);
        own = msec_each(before.own, after.own, n);
        systemd = msec_each(before.systemd, after.systemd, n);
        bus = msec_each(before.bus, after.bus, n);
        printf("%s: %.0f requests/s; CPU a request: %.1f ms (own %.1f, systemd %.1f, "
               "dbus-daemon %.1f)\n",
               way->title, (double)n / seconds, own + systemd + bus, own, systemd, bus);
        distribution_print(&d, "  request to its end");
        distribution_done(&d);
        return 0;
}

int main(int argc, char **argv)
{
        unsigned long n_units, n_requests;

        if (argc != 4) {
                (void)fprintf(stderr,
                              "usage: per_request_dbus UNITS REQUESTS PID-OF-DBUS-DAEMON\n");
                return 2;
        }
        n_units = strtoul(argv[1], NULL, 10);
        n_requests = strtoul(argv[2], NULL, 10);
        if (!n_requests || n_requests > REQUESTS_MAX)
                return 2;
        for (size_t i = 0; i < ELEMENTSOF(ways); i++)
                if (run(&ways[i], n_units, n_requests, (int)strtol(argv[3], NULL, 10)) < 0) {
                        (void)fprintf(stderr, "systemd did not answer\n");
                        return 1;
                }
        return 0;
}
