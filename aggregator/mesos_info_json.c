/*
 * Mesos' MasterInfo. Its members come twice: "ip", "port" and "hostname" of old, and "address" with
 * the same, which is what counts where it is.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

#include <jansson.h>

#include "aggregator/mesos_info_json.h"
#include "base/parse.h"

#define JSON_PREFIX     "json.info_"
#define PROTOBUF_PREFIX "info_"
#define DIGITS_MAX      19u /* ZooKeeper writes ten */

static bool read_sequence(const char *digits, uint64_t *ret)
{
        size_t n = strspn(digits, "0123456789");

        if (n == 0 || n > DIGITS_MAX || digits[n])
                return false;
        *ret = strtoull(digits, NULL, 10);
        return true;
}

enum mesos_info_kind mesos_info_kind(const char *name, uint64_t *ret_sequence)
{
        const char *digits = strrchr(name, '_');

        if (!digits || !read_sequence(digits + 1, ret_sequence))
                return MESOS_INFO_NONE;
        if (strncmp(name, JSON_PREFIX, strlen(JSON_PREFIX)) == 0)
                return MESOS_INFO_JSON;
        if (strncmp(name, PROTOBUF_PREFIX, strlen(PROTOBUF_PREFIX)) == 0)
                return MESOS_INFO_PROTOBUF;
        return MESOS_INFO_NONE;
}

struct reader {
        struct arena *a;
        struct err *e;
        int error;
};

static void wrong(struct reader *rd, const char *key, const char *what)
{
        if (!rd->error)
                rd->error = err_set(rd->e, -EBADMSG, "%s %s", key, what);
}

static const char *get_string(struct reader *rd, const json_t *o, const char *key)
{
        const json_t *v = json_object_get(o, key);

        if (!v || json_is_null(v))
                return "";
        if (!json_is_string(v) || !zk_text_is_valid(json_string_value(v), json_string_length(v))) {
                wrong(rd, key, "is not a string that is fit to be shown");
                return "";
        }
        return arena_strdup(rd->a, json_string_value(v));
}

static uint64_t get_uint(struct reader *rd, const json_t *o, const char *key, uint64_t max)
{
        const json_t *v = json_object_get(o, key);

        if (!v || json_is_null(v))
                return 0;
        if (!json_is_integer(v) || json_integer_value(v) < 0 ||
            (uint64_t)json_integer_value(v) > max) {
                wrong(rd, key, "is not a whole number in its range");
                return 0;
        }
        return (uint64_t)json_integer_value(v);
}

/* A number whose lowest byte is the first of the address: in network order, read by a little-endian machine. */
static const char *get_numeric_ip(struct reader *rd, const json_t *o)
{
        uint64_t ip = get_uint(rd, o, "ip", UINT32_MAX);

        if (ip == 0)
                return "";
        return arena_printf(rd->a, "%u.%u.%u.%u", (unsigned)(ip & 255), (unsigned)(ip >> 8 & 255),
                            (unsigned)(ip >> 16 & 255), (unsigned)(ip >> 24));
}

static const json_t *address_of(struct reader *rd, const json_t *o)
{
        const json_t *v = json_object_get(o, "address");

        if (!v || json_is_null(v))
                return NULL;
        if (!json_is_object(v))
                wrong(rd, "address", "is not an object");
        return json_is_object(v) ? v : NULL;
}

static void read_info(struct reader *rd, const json_t *o, struct zk_mesos_master *m)
{
        const json_t *address = address_of(rd, o);
        int family;

        *m = (struct zk_mesos_master){
                .address = address ? get_string(rd, address, "ip") : get_numeric_ip(rd, o),
                .port = (uint16_t)get_uint(rd, address ? address : o, "port", UINT16_MAX),
                .hostname = get_string(rd, address ? address : o, "hostname"),
                .id = get_string(rd, o, "id"),
                .version = get_string(rd, o, "version"),
        };
        if (parse_ip(m->address, &family) < 0)
                wrong(rd, address ? "address.ip" : "ip", "is not an IP address");
}

int mesos_info_from_json(struct zk_mesos_master *ret, struct arena *a, const char *text, size_t n,
                         struct err *e)
{
        _cleanup_(json_decrefp) json_t *o = NULL;
        struct reader rd = {.a = a, .e = e};
        struct zk_mesos_master m;
        json_error_t je;

        if (n > ZK_DATA_MAX)
                return err_set(e, -E2BIG, "it has more than %u bytes", ZK_DATA_MAX);
        o = json_loadb(text ? text : "", n, JSON_REJECT_DUPLICATES, &je);
        if (!o)
                return err_set(
                        e, json_error_code(&je) == json_error_out_of_memory ? -ENOMEM : -EBADMSG,
                        "it is not JSON: line %d: %s", je.line, je.text);
        if (!json_is_object(o))
                return err_set(e, -EBADMSG, "it is not an object");
        read_info(&rd, o, &m);
        if (rd.error)
                return rd.error;
        if (a->failed)
                return err_set(e, -ENOMEM, "out of memory");
        m.sequence = 0;
        *ret = m;
        return 0;
}
