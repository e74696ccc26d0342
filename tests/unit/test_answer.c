/* It makes one of six kinds of whatever a node sends, and says in few words why. */

#include <errno.h>
#include <stdio.h>

#include "aggregator/answer.h"
#include "base/mono.h"
#include "model/report_json.h"
#include "tests/unit/test_main.h"

#define NOW UINT64_C(1800000000000000)
#define ID  "0123456789abcdef0123456789abcdef"
#define IT  "\"node_id\":\"" ID "\",\"instance\":\"0000000000000007\",\"seq\":3"

#define V1 DIAG_PROTOCOL_V1
#define V2 DIAG_PROTOCOL_V2

static void read_it(struct answer *a, struct fetch_result *r, enum diag_protocol protocol,
                    const struct diag_report *previous)
{
        r->text = r->text ? r->text : "";
        r->body = r->body ? r->body : "";
        r->n_body = r->n_body ? r->n_body : strlen(r->body);
        answer_read(a, r, protocol, previous, "10.0.0.1", NOW);
        ck_assert_int_eq(a->kind == ANSWER_REPORT, a->report != NULL);
        ck_assert_uint_lt(strlen(a->text), ANSWER_TEXT_MAX);
        ck_assert_ptr_null(strpbrk(a->text, "\r\n\t"));
}

static struct diag_report *make_previous(void)
{
        struct fetch_result r = {.status = 200, .body = "{" IT ",\"components\":[]}"};
        struct answer a;

        read_it(&a, &r, V2, NULL);
        ck_assert_int_eq(a.kind, ANSWER_REPORT);
        return a.report;
}

/* --- nobody answered ---------------------------------------------------------------------------- */

static const struct {
        int error;
        unsigned took_msec;
        enum answer_kind kind;
        bool lasting;
} silences[] = {
        {-ECONNREFUSED, 1,    ANSWER_NONE, false},
        {-EHOSTUNREACH, 3100, ANSWER_NONE, false},
        {-ECONNRESET,   0,    ANSWER_NONE, false},
        {-EIO,          0,    ANSWER_NONE, false},
        {-ETIMEDOUT,    0,    ANSWER_NONE, false}, /* the kernel knew at once */
        {-ETIMEDOUT,    2499, ANSWER_NONE, false},
        {-ETIMEDOUT,    2500, ANSWER_NONE, true },
        {-ETIMEDOUT,    8000, ANSWER_NONE, true },
        {-EPROTO,       3000, ANSWER_BAD,  false},
        {-EFBIG,        3000, ANSWER_BAD,  false},
        {-EBUSY,        3000, ANSWER_BUSY, false},
        {-ENOMEM,       0,    ANSWER_BUSY, false},
        {-EMFILE,       0,    ANSWER_BUSY, false},
        {-ENFILE,       0,    ANSWER_BUSY, false},
};

START_TEST(tells_silence_from_noise)
{
        struct fetch_result r = {
                .error = silences[_i].error,
                .text = "nothing came",
                .took_usec = silences[_i].took_msec * USEC_PER_MSEC,
        };
        struct answer a;

        read_it(&a, &r, V2, NULL);
        ck_assert_msg(a.kind == silences[_i].kind, "%s: %d", strerror(-r.error), a.kind);
        ck_assert_int_eq(a.lasting, silences[_i].lasting);
        ck_assert_str_eq(a.text, "nothing came");
        ck_assert(!a.waits && !*a.etag && !a.date_wall_usec && !a.confirmed_age_usec);
}
END_TEST

/* --- statuses ----------------------------------------------------------------------------------- */

static const struct {
        unsigned status;
        bool has_previous;
        enum answer_kind kind;
        const char *text;
} statuses[] = {
        {0,   false, ANSWER_BAD,       "it answers with HTTP status 0"         },
        {100, false, ANSWER_BAD,       "it answers with HTTP status 100"       },
        {204, true,  ANSWER_BAD,       "it answers with HTTP status 204"       },
        {206, true,  ANSWER_BAD,       "it answers with HTTP status 206"       },
        {301, true,  ANSWER_BAD,       "it redirects, which is not followed"   },
        {302, false, ANSWER_BAD,       "it redirects, which is not followed"   },
        {304, true,  ANSWER_UNCHANGED, ""                                      },
        {304, false, ANSWER_BAD,       "it answers with HTTP status 304"       },
        {308, false, ANSWER_BAD,       "it redirects, which is not followed"   },
        {400, false, ANSWER_BAD,       "it answers with HTTP status 400"       },
        {401, true,  ANSWER_BAD,       "it refuses us (401)"                   },
        {403, true,  ANSWER_BAD,       "it refuses us (403)"                   },
        {404, false, ANSWER_NOT_HERE,  "it answers 404: no diagnostics service"},
        {404, true,  ANSWER_NOT_HERE,  "it answers 404: no diagnostics service"},
        {405, false, ANSWER_BAD,       "it answers with HTTP status 405"       },
        {500, true,  ANSWER_BAD,       "it answers with HTTP status 500"       },
        {503, true,  ANSWER_BAD,       "it answers with HTTP status 503"       },
        {999, true,  ANSWER_BAD,       "it answers with HTTP status 999"       },
};

START_TEST(reads_statuses)
{
        _cleanup_(diag_report_unrefp) struct diag_report *previous = make_previous();
        static const enum diag_protocol protocols[] = {V1, V2};

        for (size_t i = 0; i < ELEMENTSOF(protocols); i++) {
                struct fetch_result r = {.status = statuses[_i].status,
                                         .body = "{" IT ",\"components\":[],\"units\":[]}"};
                struct answer a;

                read_it(&a, &r, protocols[i], statuses[_i].has_previous ? previous : NULL);
                ck_assert_msg(a.kind == statuses[_i].kind, "%u: %d", r.status, a.kind);
                ck_assert_str_eq(a.text, statuses[_i].text);
        }
}
END_TEST

/* --- bodies ------------------------------------------------------------------------------------- */

#define BAD(why) ANSWER_BAD, 0, 0, "its answer is no report: " why

/* clang-format off */
static const struct {
        const char *body;
        enum diag_protocol protocol;
        enum answer_kind kind;
        enum diag_health health;
        unsigned n_components;
        const char *text;
} bodies[] = {
        /* What the service that we replace took for health. */
        {"{}", V1, BAD("'units' is not a list")},
        {"{\"units\":null}", V1, BAD("'units' is not a list")},
        {"{\"units\":{}}", V1, BAD("'units' is not a list")},
        {"{\"units\":[]}", V1, ANSWER_REPORT, DIAG_UNKNOWN, 0, ""},
        {"", V1, BAD("line 1: '[' or '{' expected near end of file")},
        {"[]", V1, BAD("the document is not an object")},
        {"null", V1, BAD("line 1: '[' or '{' expected near 'null'")},
        {"{\"units\":[", V1, BAD("line 1: ']' expected near end of file")},
        {"{\"units\":[]}{}", V1, BAD("line 1: end of file expected near '{'")},
        {"{\"units\":[],\"units\":[]}", V1, BAD("line 1: duplicate object key near '\"units\"'")},
        {"{\"units\":[1]}", V1, BAD("an entry of 'units' is not an object")},
        {"{\"units\":[{}]}", V1, BAD("'health' is not a number")},
        {"{\"units\":[{\"id\":\"\",\"health\":0}]}",
         V1, BAD("the 'id' of a unit is empty, or too long")},
        {"{\"units\":[{\"id\":7,\"health\":0}]}", V1, BAD("'id' is not a string")},
        {"{\"units\":[{\"id\":\"a\",\"health\":\"0\"}]}", V1, BAD("'health' is not a number")},
        {"{\"units\":[{\"id\":\"a\",\"health\":0.5}]}", V1, BAD("'health' is not a number")},
        {"{\"units\":[{\"id\":\"a\",\"health\":false}]}", V1, BAD("'health' is not a number")},
        {"{\"units\":[{\"id\":\"a\",\"health\":0,\"output\":[]}]}",
         V1, BAD("'output' is not a string")},
        {"{\"units\":[{\"id\":\"a\",\"health\":0,\"name\":{}}]}",
         V1, BAD("'name' is not a string")},
        {"{\"units\":[],\"hostname\":7}", V1, BAD("'hostname' is not a string")},
        {"{\"units\":[],\"node_role\":7}", V1, BAD("'node_role' is not a string")},
        {"{\"units\":[],\"hostname\":null,\"node_role\":\"king\"}",
         V1, ANSWER_REPORT, DIAG_UNKNOWN, 0, ""},
        {"{\"units\":[{\"id\":\"a\",\"health\":0}]}", V1, ANSWER_REPORT, DIAG_HEALTHY, 1, ""},
        {"{\"units\":[{\"id\":\"a\",\"health\":1}]}", V1, ANSWER_REPORT, DIAG_UNHEALTHY, 1, ""},
        {"{\"units\":[{\"id\":\"a\",\"health\":2}]}", V1, ANSWER_REPORT, DIAG_UNKNOWN, 1, ""},
        {"{\"units\":[{\"id\":\"a\",\"health\":3}]}", V1, ANSWER_REPORT, DIAG_UNKNOWN, 1, ""},
        {"{\"units\":[{\"id\":\"a\",\"health\":-1}]}", V1, ANSWER_REPORT, DIAG_UNKNOWN, 1, ""},
        {"{\"units\":[{\"id\":\"a\",\"health\":4294967296}]}",
         V1, ANSWER_REPORT, DIAG_UNKNOWN, 1, ""},
        {"{\"units\":[{\"id\":\"a\",\"health\":0},{\"id\":\"b\",\"health\":1}]}",
         V1, ANSWER_REPORT, DIAG_UNHEALTHY, 2, ""},
        {"{\"health\":0,\"units\":[{\"id\":\"a\",\"health\":9}]}",
         V1, ANSWER_REPORT, DIAG_UNKNOWN, 1, ""},
        {"{}", V2, BAD("instance is not 16 hex digits")},
        {"", V2, BAD("line 1: '[' or '{' expected near end of file")},
        {"\"x\"", V2, BAD("line 1: '[' or '{' expected near '\"x\"'")},
        {"[{}]", V2, BAD("the document is not an object")},
        {"{" IT "}", V2, BAD("components is not a list")},
        {"{" IT ",\"components\":null}", V2, BAD("components is not a list")},
        {"{" IT ",\"components\":[null]}", V2, BAD("components[0].(entry) is not an object")},
        {"{" IT ",\"components\":[{}]}", V2, BAD("components[0].name is not there")},
        {"{" IT ",\"components\":[]", V2, BAD("line 1: '}' expected near end of file")},
        {"{" IT ",\"components\":[]}", V2, ANSWER_REPORT, DIAG_UNKNOWN, 0, ""},
        {"{" IT ",\"health\":\"healthy\",\"components\":[]}",
         V2, ANSWER_REPORT, DIAG_UNKNOWN, 0, ""},
        {"{" IT ",\"health\":\"healthy\",\"components\":[{\"name\":\"a\"}]}",
         V2, ANSWER_REPORT, DIAG_UNKNOWN, 1, ""},
        {"{" IT ",\"health\":\"healthy\",\"components\":[{\"name\":\"a\",\"health\":\"fine\"}]}",
         V2, ANSWER_REPORT, DIAG_UNKNOWN, 1, ""},
        {"{" IT ",\"components\":[{\"name\":\"a\",\"health\":\"healthy\"}]}",
         V2, ANSWER_REPORT, DIAG_UNKNOWN, 1, ""},
        {"{" IT ",\"health\":\"healthy\",\"components\":[{\"name\":\"a\","
         "\"health\":\"healthy\"}]}",
         V2, ANSWER_REPORT, DIAG_HEALTHY, 1, ""},
        {"{" IT ",\"health\":\"healthy\",\"components\":[{\"name\":\"a\","
         "\"health\":\"unhealthy\"}]}",
         V2, ANSWER_REPORT, DIAG_UNHEALTHY, 1, ""},
        {"{\"instance\":\"0000000000000007\",\"seq\":3,\"components\":[]}",
         V2, ANSWER_BAD, 0, 0, "its answer does not say which node it is"},
        {"{\"node_id\":\"\",\"instance\":\"0000000000000007\",\"seq\":3,\"components\":[]}",
         V2, ANSWER_BAD, 0, 0, "its answer does not say which node it is"},
        {"{\"node_id\":\"0123456789ABCDEF0123456789abcdef\",\"instance\":\"0000000000000007\","
         "\"components\":[]}",
         V2, ANSWER_BAD, 0, 0, "its answer does not say which node it is"},
        {"{\"node_id\":\"addr:10.0.0.2\",\"instance\":\"0000000000000007\",\"components\":[]}",
         V2, ANSWER_BAD, 0, 0, "its answer does not say which node it is"},
        {"{\"node_id\":\"" ID "0\",\"instance\":\"0000000000000007\",\"components\":[]}",
         V2, ANSWER_BAD, 0, 0, "its answer does not say which node it is"},
        {"{\"node_id\":7,\"instance\":\"0000000000000007\",\"components\":[]}",
         V2, BAD("node_id is not a string")},
        {"{\"node_id\":\"x\",\"instance\":7,\"components\":[]}",
         V2, BAD("instance is not a string")},
        {"{\"node_id\":\"x\",\"instance\":\"7\",\"components\":[]}",
         V2, BAD("instance is not 16 hex digits")},
        {"{\"node_id\":\"x\",\"instance\":\"0000000000000007\",\"seq\":-1,\"components\":[]}",
         V2, BAD("seq is not a whole number in its range")},
};
/* clang-format on */

START_TEST(reads_bodies)
{
        struct fetch_result r = {.status = 200, .body = bodies[_i].body};
        struct answer a;

        read_it(&a, &r, bodies[_i].protocol, NULL);
        ck_assert_msg(a.kind == bodies[_i].kind, "%s: %d %s", r.body, a.kind, a.text);
        ck_assert_msg(streq(a.text, bodies[_i].text), "%s: %s", r.body, a.text);
        if (a.report) {
                ck_assert_msg(a.report->health == bodies[_i].health, "%s: %s", r.body,
                              diag_health_to_string(a.report->health));
                ck_assert_uint_eq(a.report->n_components, bodies[_i].n_components);
        }
        answer_done(&a);
        ck_assert_ptr_null(a.report);
}
END_TEST

/* A body is what it is, with and without something behind it: never is a byte more read. */
START_TEST(reads_no_further_than_the_body)
{
        static const char whole[] = "{" IT ",\"components\":[],\"units\":[]}";
        static const enum diag_protocol protocols[] = {V1, V2};

        for (size_t n = 1; n <= strlen(whole); n++)
                for (size_t i = 0; i < ELEMENTSOF(protocols); i++) {
                        _cleanup_(freep) char *body = malloc(n);
                        struct fetch_result r = {.status = 200, .n_body = n};
                        struct answer a;

                        r.body = memcpy(body, whole, n);
                        read_it(&a, &r, protocols[i], NULL);
                        ck_assert_int_eq(a.kind, n < strlen(whole) ? ANSWER_BAD : ANSWER_REPORT);
                        answer_done(&a);
                }
}
END_TEST

/* --- floods -------------------------------------------------------------------------------------- */

static void list(struct buf *b, const char *before, const char *format, unsigned n)
{
        buf_puts(b, before);
        for (unsigned i = 0; i < n; i++) {
                buf_puts(b, i ? "," : "");
                buf_printf(b, format, i);
        }
        buf_puts(b, "]}");
}

START_TEST(takes_so_many_and_no_more)
{
        static const struct {
                enum diag_protocol protocol;
                const char *before, *format, *what;
        } kinds[] = {
                {V1, "{\"units\":[",             "{\"id\":\"u%u\",\"health\":0}",             "units"},
                {V2, "{" IT ",\"components\":[", "{\"name\":\"u%u\",\"health\":\"healthy\"}",
                 "components"                                                                        },
        };

        for (unsigned n = ANSWER_UNITS_MAX; n <= ANSWER_UNITS_MAX + 1; n++) {
                _cleanup_(buf_done) struct buf b = {0};
                struct fetch_result r = {.status = 200};
                struct answer a;

                list(&b, kinds[_i].before, kinds[_i].format, n);
                r.body = buf_cstr(&b);
                read_it(&a, &r, kinds[_i].protocol, NULL);
                ck_assert_int_eq(a.kind, n > ANSWER_UNITS_MAX ? ANSWER_BAD : ANSWER_REPORT);
                if (a.report)
                        ck_assert_uint_eq(a.report->n_components, n);
                else
                        ck_assert_ptr_nonnull(strstr(a.text, kinds[_i].what));
                answer_done(&a);
        }
}
END_TEST

#define MIB (1u << 20)

/* Each %s is a mebibyte of 'x'; what is left of it is short. */
/* clang-format off */
static const struct {
        const char *format;
        enum diag_protocol protocol;
        enum answer_kind kind;
} floods[] = {
        {"{\"units\":[{\"id\":\"%s\",\"health\":0}]}", V1, ANSWER_BAD},
        {"{\"units\":[{\"id\":\"a\",\"health\":1,\"output\":\"%s\"}]}", V1, ANSWER_REPORT},
        {"{\"units\":[{\"id\":\"a\",\"health\":1,\"name\":\"%s\"}]}", V1, ANSWER_REPORT},
        {"{\"units\":[{\"id\":\"a\",\"health\":1,\"description\":\"%s\"}]}", V1, ANSWER_REPORT},
        {"{\"units\":[],\"hostname\":\"%s\"}", V1, ANSWER_REPORT},
        {"{\"units\":[],\"%s\":1}", V1, ANSWER_REPORT},
        {"{\"units\":[],\"a\":\"%s", V1, ANSWER_BAD},
        {"%s", V1, ANSWER_BAD},
        {"{" IT ",\"components\":[{\"name\":\"%s\",\"health\":\"unhealthy\"}]}",
         V2, ANSWER_REPORT},
        {"{" IT ",\"components\":[{\"name\":\"a\",\"text\":\"%s\"}]}", V2, ANSWER_REPORT},
        {"{" IT ",\"components\":[{\"name\":\"a\",\"output\":\"%s\"}]}", V2, ANSWER_REPORT},
        {"{" IT ",\"components\":[{\"name\":\"a\",\"health\":\"%s\"}]}", V2, ANSWER_REPORT},
        {"{\"node_id\":\"%s\",\"instance\":\"0000000000000007\",\"components\":[]}",
         V2, ANSWER_BAD},
        {"{" IT ",\"hostname\":\"%s\",\"components\":[]}", V2, ANSWER_REPORT},
        {"%s", V2, ANSWER_BAD},
};
/* clang-format on */

static void must_be_short(const struct diag_report *r)
{
        const struct diag_node *n = &r->node;

        ck_assert_uint_le(strlen(n->node_id), DIAG_STRING_MAX);
        ck_assert_uint_le(strlen(n->hostname), DIAG_STRING_MAX);
        for (size_t i = 0; i < r->n_components; i++) {
                const struct diag_component *c = &r->components[i];

                ck_assert_uint_le(strlen(c->name), DIAG_STRING_MAX);
                ck_assert_uint_le(strlen(c->title), DIAG_STRING_MAX);
                ck_assert_uint_le(strlen(c->description), DIAG_STRING_MAX);
                ck_assert_uint_le(strlen(c->text), DIAG_STRING_MAX);
                ck_assert_uint_le(strlen(c->output), DIAG_OUTPUT_MAX);
        }
}

START_TEST(keeps_little_of_a_flood)
{
        _cleanup_(buf_done) struct buf b = {0}, x = {0};
        struct fetch_result r = {.status = 200};
        const char *before;
        struct answer a;

        for (size_t i = 0; i < MIB; i++)
                buf_putc(&x, 'x');
        before = strstr(floods[_i].format, "%s");
        buf_append(&b, floods[_i].format, (size_t)(before - floods[_i].format));
        buf_puts(&b, buf_cstr(&x));
        buf_puts(&b, before + strlen("%s"));
        r.body = buf_cstr(&b);
        read_it(&a, &r, floods[_i].protocol, NULL);
        ck_assert_msg(a.kind == floods[_i].kind, "%s: %s", floods[_i].format, a.text);
        if (a.report)
                must_be_short(a.report);
        answer_done(&a);
}
END_TEST

START_TEST(survives_depth)
{
        static const char *const brackets[] = {"[", "{\"a\":"};

        for (size_t i = 0; i < ELEMENTSOF(brackets); i++) {
                _cleanup_(buf_done) struct buf b = {0};
                struct fetch_result r = {.status = 200};
                struct answer a;

                for (unsigned n = 0; n < 100000; n++)
                        buf_puts(&b, brackets[i]);
                r.body = buf_cstr(&b);
                read_it(&a, &r, V2, NULL);
                ck_assert_int_eq(a.kind, ANSWER_BAD);
                ck_assert_ptr_nonnull(strstr(a.text, "maximum parsing depth reached"));
        }
}
END_TEST

/* --- header fields -------------------------------------------------------------------------------- */

START_TEST(takes_harmless_tags_only)
{
        static const struct {
                const char *field, *etag;
        } tags[] = {
                {"\"0000000000000007.3\"",                                             "\"0000000000000007.3\""},
                {"\"a\"",                                                              "\"a\""                 },
                {"\"\"",                                                               "\"\""                  },
                {NULL,                                                                 ""                      },
                {"",                                                                   ""                      },
                {"\"",                                                                 ""                      },
                {"a",                                                                  ""                      },
                {"\"a",                                                                ""                      },
                {"a\"",                                                                ""                      },
                {"W/\"7.3\"",                                                          ""                      }, /* weak */
                {"\"7.3-gz\"",                                                         ""                      },
                {"\"7,3\"",                                                            ""                      },
                {"\"7\", \"8\"",                                                       ""                      },
                {"\"7\"\r\nX: y\"",                                                    ""                      },
                {"\"7\x80\"",                                                          ""                      },
                {"\"A\"",                                                              ""                      },
                {"*",                                                                  ""                      },
                {"\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abc\"",
                 "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abc\""                           },
                {"\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcd\"", ""                      },
        };

        for (size_t i = 0; i < ELEMENTSOF(tags); i++) {
                struct fetch_result r = {.status = 304, .headers = {tags[i].field}};
                struct answer a;

                read_it(&a, &r, V2, NULL);
                ck_assert_msg(streq(a.etag, tags[i].etag), "%s: %s", tags[i].field, a.etag);
        }
}
END_TEST

START_TEST(reads_what_was_applied)
{
        static const struct {
                const char *field;
                bool waits;
        } kinds[] = {
                {"wait=5",         true },
                {"wait",           true },
                {"wait=5, x",      true },
                {NULL,             false},
                {"",               false},
                {"return=minimal", false},
        };

        for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
                struct fetch_result r = {
                        .status = 200, .headers = {NULL, kinds[i].field}
                };
                struct answer a;

                read_it(&a, &r, V2, NULL);
                ck_assert_int_eq(a.waits, kinds[i].waits);
        }
}
END_TEST

START_TEST(reads_ages)
{
        static const struct {
                const char *field;
                uint64_t usec;
        } ages[] = {
                {"0",          0              },
                {"0.5",        500000         },
                {"12.25",      12250000       },
                {"999999999",  999999999000000},
                {NULL,         0              },
                {"",           0              },
                {"1000000000", 0              },
                {"-1",         0              },
                {"inf",        0              },
                {"nan",        0              },
                {"1e400",      0              },
                {"12s",        0              },
                {"12 ",        0              },
        };

        for (size_t i = 0; i < ELEMENTSOF(ages); i++) {
                struct fetch_result r = {
                        .status = 304, .headers = {NULL, NULL, ages[i].field}
                };
                struct answer a;

                read_it(&a, &r, V2, NULL);
                ck_assert_msg(a.confirmed_age_usec == ages[i].usec, "%s: %llu", ages[i].field,
                              (unsigned long long)a.confirmed_age_usec);
        }
}
END_TEST

START_TEST(reads_dates)
{
        static const struct {
                const char *field;
                uint64_t seconds;
        } dates[] = {
                {"Fri, 15 Jan 2027 08:00:00 GMT",  1800000000},
                {"Thu, 01 Jan 1970 00:00:01 GMT",  1         },
                {"Thu, 01 Jan 1970 00:00:00 GMT",  0         },
                {"Wed, 31 Dec 1969 23:59:59 GMT",  0         },
                {NULL,                             0         },
                {"",                               0         },
                {"Fri, 15 Jan 2027 08:00:00 GMT ", 0         },
                {"Fri, 15 Jan 2027 08:00:00",      0         },
                {"Friday, 15-Jan-27 08:00:00 GMT", 0         },
                {"1800000000",                     0         },
        };

        for (size_t i = 0; i < ELEMENTSOF(dates); i++) {
                struct fetch_result r = {
                        .status = 304, .headers = {NULL, NULL, NULL, dates[i].field}
                };
                struct answer a;

                read_it(&a, &r, V2, NULL);
                ck_assert_msg(a.date_wall_usec == dates[i].seconds * USEC_PER_SEC, "%s: %llu",
                              dates[i].field, (unsigned long long)a.date_wall_usec);
        }
}
END_TEST

START_TEST(names_its_fields)
{
        static const char *const names[ANSWER_N_FIELDS] = {
                [ANSWER_FIELD_ETAG] = "ETag",
                [ANSWER_FIELD_APPLIED] = "Preference-Applied",
                [ANSWER_FIELD_AGE] = "Diag-Confirmed-Age",
                [ANSWER_FIELD_DATE] = "Date",
        };

        for (size_t i = 0; i < ANSWER_N_FIELDS; i++)
                ck_assert_str_eq(answer_fields[i], names[i]);
        ck_assert_ptr_null(answer_fields[ANSWER_N_FIELDS]);
        ck_assert_uint_le(ANSWER_N_FIELDS, FETCH_WANTED_MAX);
}
END_TEST

/* --- the older service ------------------------------------------------------------------------------ */

START_TEST(knows_the_older_service_by_its_address)
{
        static const char before[] =
                "{\"units\":[{\"id\":\"a\",\"health\":0}],\"ip\":\"10.9.9.9\"}";
        static const char after[] =
                "{\"units\":[{\"id\":\"a\",\"health\":1,\"output\":\"x\\ny\"}]}";
        struct fetch_result r = {.status = 200, .body = before};
        struct answer a, b;

        read_it(&a, &r, V1, NULL);
        ck_assert_str_eq(a.report->node.node_id, "addr:10.0.0.1");
        ck_assert_str_eq(a.report->node.address, "10.9.9.9");
        ck_assert_uint_eq(a.report->instance, 0);
        r = (struct fetch_result){.status = 200, .body = after};
        read_it(&b, &r, V1, a.report);
        ck_assert_uint_gt(b.report->seq, a.report->seq);
        ck_assert_str_eq(b.report->components[0].text, "x");
        ck_assert_str_eq(b.report->components[0].output, "x\ny");
        answer_done(&a);
        answer_done(&b);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("answer");
        TCase *t = tcase_create("it");

        tcase_add_loop_test(t, tells_silence_from_noise, 0, ELEMENTSOF(silences));
        tcase_add_loop_test(t, reads_statuses, 0, ELEMENTSOF(statuses));
        tcase_add_loop_test(t, reads_bodies, 0, ELEMENTSOF(bodies));
        tcase_add_test(t, reads_no_further_than_the_body);
        tcase_add_loop_test(t, takes_so_many_and_no_more, 0, 2);
        tcase_add_loop_test(t, keeps_little_of_a_flood, 0, ELEMENTSOF(floods));
        tcase_add_test(t, survives_depth);
        tcase_add_test(t, takes_harmless_tags_only);
        tcase_add_test(t, reads_what_was_applied);
        tcase_add_test(t, reads_ages);
        tcase_add_test(t, reads_dates);
        tcase_add_test(t, names_its_fields);
        tcase_add_test(t, knows_the_older_service_by_its_address);
        suite_add_tcase(s, t);
        return test_main(s);
}
