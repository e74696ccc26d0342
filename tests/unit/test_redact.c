/* It masks secrets and nothing else. */

#include <stdio.h>

#include "base/redact.h"
#include "tests/unit/test_main.h"

#define LINE_BYTES 1048576u
#define M          REDACT_MASK
#define JWT        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.s3cr3t-sig_nature"
#define PEM_BEGIN  "-----BEGIN RSA PRIVATE KEY-----"
#define PEM_END    "-----END RSA PRIVATE KEY-----"

static const struct {
        const char *in, *want;
} secrets[] = {
  /* names and separators */
        {"password=hunter2",                                                              "password=" M                                  },
        {"PASSWORD = hunter2",                                                            "PASSWORD = " M                                },
        {"Password: hunter2",                                                             "Password: " M                                 },
        {"password:hunter2",                                                              "password:" M                                  },
        {"password => 'hunter2'",                                                         "password => '" M "'"                          },
        {"password := \"hunter2\"",                                                       "password := \"" M "\""                        },
        {"passwd=a passphrase=b pwd=c",                                                   "passwd=" M " passphrase=" M " pwd=" M         },
        {"secret=a token=b cookie=c1",                                                    "secret=" M " token=" M " cookie=" M           },
        {"api_key=a apikey=b api-key=c",                                                  "api_key=" M " apikey=" M " api-key=" M        },
        {"access_key=a secret_key=b private_key=c",
         "access_key=" M " secret_key=" M " private_key=" M                                                                              },
        {"session_key=a credential=b credentials=c",
         "session_key=" M " credential=" M " credentials=" M                                                                             },
        {"auth=a x-auth=b",                                                               "auth=" M " x-auth=" M                         },
        {"DB_PASSWORD=a DB_PASS=b dbpassword=c",                                          "DB_PASSWORD=" M " DB_PASS=" M " dbpassword=" M},
        {"zk_super_secret=a",                                                             "zk_super_secret=" M                           },
        {"X-Auth-Token: abc",                                                             "X-Auth-Token: " M                             },
        {"keyStorePassword=a spring.datasource.password=b",
         "keyStorePassword=" M " spring.datasource.password=" M                                                                          },
        {"AWS_SECRET_ACCESS_KEY=wJalr/K7+x=",                                             "AWS_SECRET_ACCESS_KEY=" M                     },
        {"UID=sa;PWD=hunter2;Encrypt=no",                                                 "UID=sa;PWD=" M ";Encrypt=no"                  },
 /* where a value ends */
        {"password=a, user=bob",                                                          "password=" M ", user=bob"                     },
        {"password=a,user=bob",                                                           "password=" M ",user=bob"                      },
        {"password=a,b;c user=bob",                                                       "password=" M " user=bob"                      },
        {"(password=a) b",                                                                "(password=" M ") b"                           },
        {"GET /x?token=abc&n=1",                                                          "GET /x?token=" M "&n=1"                       },
        {"password=it's user=bob",                                                        "password=" M " user=bob"                      },
        {"a=\"password=x y\" b",                                                          "a=\"password=" M "\" b"                       },
        {"a=\"user=u password=x\"",                                                       "a=\"user=u password=" M "\""                  },
        {"password=a\r\nb",                                                               "password=" M "\r\nb"                          },
        {"password=" M "x",                                                               "password=" M                                  },
 /* quotes */
        {"password=\"two words\" b",                                                      "password=\"" M "\" b"                         },
        {"password='a\"b' c",                                                             "password='" M "' c"                           },
        {"password=\"a\\\"b\" c",                                                         "password=\"" M "\" c"                         },
        {"password=\"a\\\\\" c",                                                          "password=\"" M "\" c"                         },
        {"password=\"never closed, b",                                                    "password=\"" M                                },
        {"{\"password\": \"a b\", \"n\": 1}",                                             "{\"password\": \"" M "\", \"n\": 1}"          },
        {"{\"password\":\"\\u0041\\\"\",\"n\":1}",                                        "{\"password\":\"" M "\",\"n\":1}"             },
        {"{\"token\": 12345, \"n\": 1}",                                                  "{\"token\": " M ", \"n\": 1}"                 },
        {"{\"msg\":\"{\\\"password\\\":\\\"a b\\\"}\"}",
         "{\"msg\":\"{\\\"password\\\":\\\"" M "\\\"}\"}"                                                                                },
        {"{\"auth\": {\"user\": \"u\", \"password\": \"x\"}}",
         "{\"auth\": {\"user\": \"u\", \"password\": \"" M "\"}}"                                                                        },
        {"\"password=a b\" c",                                                            "\"password=" M "\" c"                         },
 /* command lines */
        {"mysql --password hunter2 -u root",                                              "mysql --password " M " -u root"               },
        {"mysql --password=hunter2 -u root",                                              "mysql --password=" M " -u root"               },
        {"x --auth-token 'a b' c",                                                        "x --auth-token '" M "' c"                     },
 /* headers */
        {"Authorization: Bearer abc",                                                     "Authorization: Bearer " M                     },
        {"authorization: basic dTpw",                                                     "authorization: basic " M                      },
        {"Authorization: token=abc",                                                      "Authorization: " M                            },
        {"Proxy-Authorization: Digest username=\"u\", response=\"r\"",
         "Proxy-Authorization: Digest " M                                                                                                },
        {"curl -H 'Authorization: Bearer a b' http://h/",
         "curl -H 'Authorization: Bearer " M "' http://h/"                                                                               },
        {"{\"Authorization\": \"Bearer abc\"}",                                           "{\"Authorization\": \"" M "\"}"               },
        {"sent Bearer 0123456789abcdef to h",                                             "sent Bearer " M " to h"                       },
        {"Cookie: a=b; c=d",                                                              "Cookie: " M                                   },
        {"Set-Cookie: id=1; Path=/",                                                      "Set-Cookie: " M                               },
 /* shapes */
        {"postgres://user:hunter2@host/db",                                               "postgres://user:" M "@host/db"                },
        {"http://u:p@ss:w@h:80/x?y=a@b",                                                  "http://u:" M "@h:80/x?y=a@b"                  },
        {"redis://:hunter2@h",                                                            "redis://:" M "@h"                             },
        {"got " JWT ", ok",                                                               "got " M ", ok"                                },
        {"session." JWT,                                                                  "session." M                                   },
        {"id AKIAIOSFODNN7EXAMPLE.",                                                      "id " M "."                                    },
        {"id ASIAIOSFODNN7EXAMPLE",                                                       "id " M                                        },
 /* private keys */
        {PEM_BEGIN "\nMIIE\nabc=\n" PEM_END "\nb\n",                                      PEM_BEGIN "\n" M "\n" M "\n" PEM_END "\nb\n"   },
        {PEM_BEGIN "\r\nMIIE\r\n" PEM_END "\r\n",                                         PEM_BEGIN "\r\n" M "\r\n" PEM_END "\r\n"       },
        {"  " PEM_BEGIN "\n  MIIE\n  " PEM_END,                                           "  " PEM_BEGIN "\n  " M "\n  " PEM_END         },
        {"a\n-----BEGIN PRIVATE KEY-----\nMIIE\nabc",                                     "a\n-----BEGIN PRIVATE KEY-----\n" M "\n" M    },
        {"-----BEGIN PGP PRIVATE KEY BLOCK-----\nx\n-----END PGP PRIVATE KEY BLOCK-----",
         "-----BEGIN PGP PRIVATE KEY BLOCK-----\n" M "\n-----END PGP PRIVATE KEY BLOCK-----"                                             },
        {"{\"private_key\": \"" PEM_BEGIN "\\nMIIE\\n" PEM_END "\\n\"}",
         "{\"private_key\": \"" PEM_BEGIN M PEM_END "\\n\"}"                                                                             },
        {"PRIVATE_KEY=" PEM_BEGIN "\nMIIE\n" PEM_END "\n",
         "PRIVATE_KEY=" PEM_BEGIN "\n" M "\n" PEM_END "\n"                                                                               },
        {"secret=\"" PEM_BEGIN "\nMIIE\n" PEM_END "\"\n",
         "secret=\"" PEM_BEGIN "\n" M "\n" PEM_END "\"\n"                                                                                },
};

START_TEST(masks)
{
        _cleanup_(buf_done) struct buf out = {0};

        (void)redact_append(&out, secrets[_i].in, strlen(secrets[_i].in));
        ck_assert_str_eq(buf_cstr(&out), secrets[_i].want);
}
END_TEST

START_TEST(masks_nothing_twice)
{
        _cleanup_(buf_done) struct buf out = {0};

        ck_assert_uint_eq(redact_append(&out, secrets[_i].want, strlen(secrets[_i].want)), 0);
        ck_assert_str_eq(buf_cstr(&out), secrets[_i].want);
}
END_TEST

/* Words of ordinary logs, among them systemd's, sshd's, polkit's and D-Bus's. */
static const char *const ordinary[] = {
        "",
        "\n\n",
        "zookeeper.service: Main process exited, code=exited, status=3/NOTIMPLEMENTED",
        "pam_unix(sshd:session): session opened for user root(uid=0) by (uid=0)",
        "pam_unix(sudo:auth): authentication failure; logname= uid=0",
        "Failed password for root from 10.0.0.1 port 22 ssh2",
        "Failed password for invalid user token from 10.0.0.1",
        "Failed to set up credentials: Protocol error",
        "foo.service: Failed at step CREDENTIALS spawning /bin/x: No such file or directory",
        "Got message type=signal sender=:1.3 cookie=1234 reply_cookie=0 signature=s",
        "Started Dispatch Password Requests to Console Directory Watch.",
        "2 passwords changed, token_count=5, tokens=5, n_tokens: 7",
        "password_file=/etc/x passwordless=yes",
        "tests: pass=3 fail=0 bypass=1",
        "oauth=2",
        "PWD=/root OLDPWD=/",
        "password=",
        "password=\"\" next",
        "password: null, token: none",
        "password=[1]",
        "secret: |",
        "if (token == NULL) return auth::denied;",
        "GET http://auth:8080/v1 via proxy@secret:80",
        "see http://host/path?mail=me@example.org and scp me@host:/x",
        "http://user@host/ http://host:80/@x",
        "Bearer authentication required, Basic Authentication failed, BASIC MODE",
        "bearer token12 is short",
        "-p hunter2",
        "--password-file /etc/x --token --secret",
        "eyJhbGciOi.notajwt",
        "AKIAIOSFODNN7EXAMPL AKIAIOSFODNN7EXAMPLE7 akiaiosfodnn7example",
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMIIE\n-----END PUBLIC KEY-----",
        "{\"prompt\":\"Enter password:\",\"user\":\"bob\"}",
        "{\"secrets\":[\"a\"],\"secret\":[],\"auth\":{}}",
        "\xff\xfe not \x80 UTF-8 \xc3",
};

START_TEST(leaves_alone)
{
        _cleanup_(buf_done) struct buf out = {0};

        size_t n = redact_append(&out, ordinary[_i], strlen(ordinary[_i]));

        ck_assert_str_eq(buf_cstr(&out), ordinary[_i]);
        ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(counts_and_appends)
{
        static const char text[] = "password=a\ntoken=b\nplain\n";
        _cleanup_(buf_done) struct buf out = {0};

        buf_puts(&out, "before ");
        ck_assert_uint_eq(redact_append(&out, text, strlen(text)), 2);
        ck_assert_str_eq(buf_cstr(&out), "before password=" M "\ntoken=" M "\nplain\n");
}
END_TEST

START_TEST(takes_the_bytes_it_is_given)
{
        static const char cmdline[] = "mysql\0--password\0hunter2\0-u";
        static const char want[] = "mysql\0--password\0" M "\0-u";
        _cleanup_(buf_done) struct buf out = {0};

        (void)redact_append(&out, cmdline, sizeof(cmdline));
        ck_assert_uint_eq(out.n, sizeof(want));
        ck_assert_mem_eq(out.data, want, sizeof(want));
}
END_TEST

START_TEST(reports_a_full_buffer)
{
        _cleanup_(buf_done) struct buf out = {.max = 12};

        (void)redact_append(&out, "password=a", strlen("password=a"));
        ck_assert_int_lt(out.error, 0);
}
END_TEST

/* What a quadratic scanner would still be at when check's timeout comes: one line of each. */
static const char *const hostile[] = {
        "eyJ.eyJ.a.",
        "eyJ-eyJ-",
        "auth:",
        "auth:auth ",
        "auth:{",
        "cookie:[",
        "password",
        "PWD=/",
        "password=\"\\",
        "\\\"password=",
        "'token=\"token=`token=",
        "a://b:c@",
        "://",
        "-----BEGIN ",
        "secret=-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY----------END PRIVATE KEY-----",
        "-----",
        ",a",
        "basic ",
        "Authorization: Basic ",
        "--password ",
        "password   ",
        "token\\\\",
        "secret=\"-----BEGIN PRIVATE KEY----------END PRIVATE KEY-----secret='",
        "AKIAIOSFODNN7EXAMPLE-",
        "....",
        "\"",
        "token:a ",
        "PWD=\"/",
};

START_TEST(stays_linear)
{
        _cleanup_(buf_done) struct buf in = {0}, out = {0};

        while (in.n < LINE_BYTES)
                buf_puts(&in, hostile[_i]);
        (void)redact_append(&out, in.data, in.n);
        ck_assert_int_eq(out.error, 0);
        ck_assert_uint_le(out.n, in.n * sizeof(REDACT_MASK));
}
END_TEST

int main(void)
{
        Suite *s = suite_create("redact");
        TCase *tc = tcase_create("text");

        tcase_add_loop_test(tc, masks, 0, ELEMENTSOF(secrets));
        tcase_add_loop_test(tc, masks_nothing_twice, 0, ELEMENTSOF(secrets));
        tcase_add_loop_test(tc, leaves_alone, 0, ELEMENTSOF(ordinary));
        tcase_add_test(tc, counts_and_appends);
        tcase_add_test(tc, takes_the_bytes_it_is_given);
        tcase_add_test(tc, reports_a_full_buffer);
        tcase_add_loop_test(tc, stays_linear, 0, ELEMENTSOF(hostile));
        suite_add_tcase(s, tc);
        return test_main(s);
}
