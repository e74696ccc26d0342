/*
 * It masks secrets in a text that comes in pieces, whatever the pieces are. The first table is the same list as
 * tests/fixtures/secrets, whose needles nobody may find afterwards.
 */

#include <dirent.h>
#include <stdio.h>

#include "base/fs.h"
#include "base/redact_scan.h"
#include "tests/unit/test_main.h"

#define FIXTURES   "tests/fixtures/secrets"
#define LINE_BYTES 4096u
#define ROW(in, to)                                    \
        {                                              \
                in, sizeof(in) - 1, to, sizeof(to) - 1 \
        }
#define M REDACT_MASK

static const uint8_t salt[REDACT_SALT_BYTES] = {42};

static const struct row {
        const char *in;
        size_t n;
        const char *want;
        size_t n_want;
} secrets[] = {
        ROW("DB_PASSWORD=hunter2-01\nHOME=/root\n", "DB_PASSWORD=" M "\nHOME=/root\n"),
        ROW("export API_TOKEN=hunter2-02\n", "export API_TOKEN=" M "\n"),
        ROW("export MYSQL_PWD='hunter2-03 with blanks'\n", "export MYSQL_PWD='" M "'\n"),
        ROW("PGPASSWORD=\"hunter2-04 with blanks\" psql\n", "PGPASSWORD=\"" M "\" psql\n"),
        ROW("AWS_SECRET_ACCESS_KEY=hunter2-05/K7+x=\n", "AWS_SECRET_ACCESS_KEY=" M "\n"),
        ROW("SECRET_KEY_BASE=hunter2-06\n", "SECRET_KEY_BASE=" M "\n"),
        ROW("password = hunter2-07\n", "password = " M "\n"),
        ROW("password = hunter2-08 with blanks\n", "password = " M "\n"),
        ROW("client_secret = \"hunter2-09 with blanks\" ; comment\n",
            "client_secret = \"" M "\" ; comment\n"),
        ROW("bindpw = hunter2-10\n", "bindpw = " M "\n"),
        ROW("psk=hunter2-11\n", "psk=" M "\n"),
        ROW("Environment=\"DB_PASSWORD=hunter2-12 with blanks\" A=b\n",
            "Environment=\"DB_PASSWORD=" M "\" A=b\n"),
        ROW("requirepass hunter2-13\n", "requirepass " M "\n"),
        ROW("masterauth hunter2-14\n", "masterauth " M "\n"),
        ROW("machine example.org login bob password hunter2-15\n",
            "machine example.org login bob password " M "\n"),
        ROW("  password hunter2-16\n", "  password " M "\n"),
        ROW("user admin password hunter2-17\n", "user admin password " M "\n"),
        ROW("ALTER ROLE bob WITH PASSWORD 'hunter2-18 with blanks';\n",
            "ALTER ROLE bob WITH PASSWORD '" M "';\n"),
        ROW("{\"user\": \"bob\", \"password\": \"hunter2-19 \\\"quoted\\\" x\", \"n\": 1}\n",
            "{\"user\": \"bob\", \"password\": \"" M "\", \"n\": 1}\n"),
        ROW("{\"api_key\":\"hunter2-20\",\"n\":1}\n", "{\"api_key\":\"" M "\",\"n\":1}\n"),
        ROW("{\"pin_token\": 4hunter2-21, \"n\": 1}\n", "{\"pin_token\": " M ", \"n\": 1}\n"),
        ROW("{\"env\":[{\"name\":\"DB_PASSWORD\",\"value\":\"hunter2-22\"},{\"name\":\"A\",\"value\":\"b\"}]}\n",
            "{\"env\":[{\"name\":\"DB_PASSWORD\",\"value\":\"" M
            "\"},{\"name\":\"A\",\"value\":\"b\"}]}\n"),
        ROW("{\"variables\":[{\"name\":\"API_TOKEN\",\"type\":\"VALUE\",\"value\":\"hunter2-23\"}]}\n",
            "{\"variables\":[{\"name\":\"API_TOKEN\",\"type\":\"VALUE\",\"value\":\"" M "\"}]}\n"),
        ROW("[{\"value\":\"hunter2-24\",\"name\":\"DB_PASSWORD\"}]\n",
            "[{\"value\":\"" M "\",\"name\":\"DB_PASSWORD\"}]\n"),
        ROW("[\n  {\n    \"name\": \"DB_PASSWORD\",\n    \"value\": \"hunter2-25\"\n  }\n]\n",
            "[\n  {\n    \"name\": \"DB_PASSWORD\",\n    \"value\": \"" M "\"\n  }\n]\n"),
        ROW("{\"msg\":\"{\\\"password\\\":\\\"hunter2-26 b\\\"}\"}\n",
            "{\"msg\":\"{\\\"password\\\":\\\"" M "\\\"}\"}\n"),
        ROW("{\"principal\":\"marathon\",\"secret\":\"hunter2-27\"}\n",
            "{\"principal\":\"marathon\",\"secret\":\"" M "\"}\n"),
        ROW("{\"headers\":{\"Authorization\":[\"hunter2-28 x\"],\"A\":[\"b\"]}}\n",
            "{\"headers\":{\"Authorization\":[\"" M "\"],\"A\":[\"b\"]}}\n"),
        ROW("\"passwords\": [\n  \"hunter2-29\",\n  \"hunter2-30\"\n]\n",
            "\"passwords\": [\n  \"" M "\",\n  \"" M "\"\n]\n"),
        ROW("{\"cmd\":[\"mysql\",\"--password\",\"hunter2-31\",\"db\"]}\n",
            "{\"cmd\":[\"mysql\",\"--password\",\"" M "\",\"db\"]}\n"),
        ROW("\"args\": [\n  \"--auth-token\",\n  \"hunter2-32\",\n  \"-v\"\n]\n",
            "\"args\": [\n  \"--auth-token\",\n  \"" M "\",\n  \"-v\"\n]\n"),
        ROW("{\"auths\":{\"registry.example.org\":{\"identitytoken\":\"hunter2-33\"}}}\n",
            "{\"auths\":{\"registry.example.org\":{\"identitytoken\":\"" M "\"}}}\n"),
        ROW("{\"private_key\":\"-----BEGIN PRIVATE KEY-----\\nhunter2-34\\nMIIE\\n-----END PRIVATE KEY-----\\n\",\"n\":1}\n",
            "{\"private_key\":\"-----BEGIN PRIVATE KEY-----" M
            "-----END PRIVATE KEY-----\\n\",\"n\":1}\n"),
        ROW("db:\n  password: hunter2-35\n  user: bob\n", "db:\n  password: " M "\n  user: bob\n"),
        ROW("password: hunter2-36 with blanks # comment\n", "password: " M " # comment\n"),
        ROW("- password: 'hunter2-37'\n- user: bob\n", "- password: '" M "'\n- user: bob\n"),
        ROW("password: |\n  hunter2-38\n  hunter2-39\n\n  hunter2-40 with blanks\nuser: bob\n",
            "password: |\n  " M "\n  " M "\n\n  " M "\nuser: bob\n"),
        ROW("  - client_secret: >-\n      hunter2-41\n    user: bob\n",
            "  - client_secret: >-\n      " M "\n    user: bob\n"),
        ROW("passwords:\n  - hunter2-42\n  - \"hunter2-43 with blanks\"\nuser: bob\n",
            "passwords:\n  - " M "\n  - \"" M "\"\nuser: bob\n"),
        ROW("secret:\n  hunter2-44\nuser: bob\n", "secret:\n  " M "\nuser: bob\n"),
        ROW("- name: DB_PASSWORD\n  value: hunter2-45\n- name: A\n  value: b\n",
            "- name: DB_PASSWORD\n  value: " M "\n- name: A\n  value: b\n"),
        ROW("<user>bob</user><password>hunter2-46</password>\n",
            "<user>bob</user><password>" M "</password>\n"),
        ROW("<property><name>db.password</name><value>hunter2-47</value></property>\n",
            "<property><name>db.password</name><value>" M "</value></property>\n"),
        ROW("Authorization: Bearer hunter2-48\n", "Authorization: Bearer " M "\n"),
        ROW("authorization: Basic hunter2-49\n", "authorization: Basic " M "\n"),
        ROW("X-Auth-Token: hunter2-50\n", "X-Auth-Token: " M "\n"),
        ROW("Set-Cookie: id=hunter2-51; Path=/\n", "Set-Cookie: " M "\n"),
        ROW("curl -H 'Authorization: token=hunter2-52' http://h/\n",
            "curl -H 'Authorization: " M "' http://h/\n"),
        ROW("sent Bearer hunter2-53 to h\n", "sent Bearer " M " to h\n"),
        ROW("mysql --password hunter2-54 -u root\n", "mysql --password " M " -u root\n"),
        ROW("mysqldump --password=hunter2-55 -u root\n", "mysqldump --password=" M " -u root\n"),
        ROW("mysql -u root -phunter2-56 db\n", "mysql -u root -p" M " db\n"),
        ROW("/usr/bin/mariadb -uroot '-phunter2-57' db\n",
            "/usr/bin/mariadb -uroot '-p" M "' db\n"),
        ROW("sshpass -p hunter2-58 ssh bob@h\n", "sshpass -p " M " ssh bob@h\n"),
        ROW("redis-cli -h h -a 'hunter2-59 with blanks' ping\n",
            "redis-cli -h h -a '" M "' ping\n"),
        ROW("docker login -u bob -p hunter2-60 registry.example.org\n",
            "docker login -u bob -p " M " registry.example.org\n"),
        ROW("curl -s -u bob:hunter2-61 http://h/\n", "curl -s -u bob:" M " http://h/\n"),
        ROW("curl --user 'bob:hunter2-62 with blanks' http://h/\n",
            "curl --user 'bob:" M "' http://h/\n"),
        ROW("ldapsearch -x -D cn=bob -w hunter2-63 -b dc=org\n",
            "ldapsearch -x -D cn=bob -w " M " -b dc=org\n"),
        ROW("zkCli.sh addauth digest bob:hunter2-64\n", "zkCli.sh addauth digest bob:" M "\n"),
        ROW("HOME=/\000DB_PASSWORD=hunter2-65 with blanks\000A=b\000",
            "HOME=/\000DB_PASSWORD=" M "\000A=b\000"),
        ROW("DB_PASSWORD=hunter2-66 with blanks\000A=b\000", "DB_PASSWORD=" M "\000A=b\000"),
        ROW("mysql\000--password\000hunter2-67 with blanks\000db\000",
            "mysql\000--password\000" M "\000db\000"),
        ROW("mysql\000-u\000root\000-phunter2-68 with blanks\000db\000",
            "mysql\000-u\000root\000-p" M "\000db\000"),
        ROW("x\000--auth-token=hunter2-69 with blanks\000-v\000",
            "x\000--auth-token=" M "\000-v\000"),
        ROW("postgres://bob:hunter2-70@h/db\n", "postgres://bob:" M "@h/db\n"),
        ROW("redis://:hunter2-71@h\n", "redis://:" M "@h\n"),
        ROW("zk://bob:hunter2-72@h1:2181,h2:2181/mesos\n",
            "zk://bob:" M "@h1:2181,h2:2181/mesos\n"),
        ROW("GET /x?token=hunter2-73&n=1 HTTP/1.1\n", "GET /x?token=" M "&n=1 HTTP/1.1\n"),
        ROW("PUT https://b.s3.amazonaws.com/o?X-Amz-Signature=hunter2-74&n=1\n",
            "PUT https://b.s3.amazonaws.com/o?X-Amz-Signature=" M "&n=1\n"),
        ROW("Server=h;UID=sa;PWD=hunter2-75;Encrypt=no\n",
            "Server=h;UID=sa;PWD=" M ";Encrypt=no\n"),
        ROW("jdbc:mysql://h/db?user=bob&password=hunter2-76\n",
            "jdbc:mysql://h/db?user=bob&password=" M "\n"),
        ROW("AccountName=a;AccountKey=hunter2-77==;EndpointSuffix=x\n",
            "AccountName=a;AccountKey=" M ";EndpointSuffix=x\n"),
        ROW("host=h user=bob password='hunter2-78 with blanks' dbname=x\n",
            "host=h user=bob password='" M "' dbname=x\n"),
        ROW("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbiJ9.hunter2-79, ok\n", "got " M ", ok\n"),
        ROW("cloned with ghp_hunter2-80Abcdefghijklmnopqrstuvw\n", "cloned with " M "\n"),
        ROW("slack says xoxb-hunter2-81-abcdef\n", "slack says " M "\n"),
        ROW("maps AIzahunter2-82Abcdefghijklmnopqrstuvwxyz\n", "maps " M "\n"),
        ROW("gitlab glpat-hunter2-83abcdefghij\n", "gitlab " M "\n"),
        ROW("paid with sk_live_hunter2-84abcdefghij\n", "paid with " M "\n"),
        ROW("root:$6$salt$hashhunter2-85.Abc/:19000:0:99999:7:::\n",
            "root:" M ":19000:0:99999:7:::\n"),
        ROW("admin:$apr1$salt$hunter2-86Abc\n", "admin:" M "\n"),
        ROW("bob:$2b$12$saltsaltsalthunter2-87\n", "bob:" M "\n"),
        ROW("-----BEGIN RSA PRIVATE KEY-----\nMIIEhunter2-88\nhunter2-89=\n-----END RSA PRIVATE KEY-----\n",
            "-----BEGIN RSA PRIVATE KEY-----\n" M "\n" M "\n-----END RSA PRIVATE KEY-----\n"),
        ROW("  key: |\n    -----BEGIN PRIVATE KEY-----\n    hunter2-90\n    -----END PRIVATE KEY-----\n",
            "  key: |\n    -----BEGIN PRIVATE KEY-----\n    " M
            "\n    -----END PRIVATE KEY-----\n"),
        ROW("PRIVATE_KEY=-----BEGIN EC PRIVATE KEY-----\nhunter2-91\n-----END EC PRIVATE KEY-----\n",
            "PRIVATE_KEY=-----BEGIN EC PRIVATE KEY-----\n" M "\n-----END EC PRIVATE KEY-----\n"),
        ROW("openssl rsa -passin pass:hunter2-92 -in x\n",
            "openssl rsa -passin pass:" M " -in x\n"),
        ROW("CREATE USER bob IDENTIFIED BY 'hunter2-93 with blanks';\n",
            "CREATE USER bob IDENTIFIED BY '" M "';\n"),
        ROW("ENV API_KEY hunter2-94\n", "ENV API_KEY " M "\n"),
        ROW("set password hunter2-95\n", "set password " M "\n"),
        ROW("zk_digest=super:hunter2-96\n", "zk_digest=" M "\n"),
        ROW("[\"sshpass\",\"-p\",\"hunter2-97\",\"ssh\"]\n",
            "[\"sshpass\",\"-p\",\"" M "\",\"ssh\"]\n"),
        ROW("mysql -p'hunter2-98 with blanks' x\n", "mysql -p'" M "' x\n"),
        ROW("<add key=\"db.password\" value=\"hunter2-99\"/>\n",
            "<add key=\"db.password\" value=\"" M "\"/>\n"),
        ROW("-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2-100\nhunter2-101",
            "-----BEGIN OPENSSH PRIVATE KEY-----\n" M "\n" M),
        ROW("{\"auths\":{\"r\":{\"auth\":\"Ym9iOmh1bnRlcjItMTAy\"}}}\n",
            "{\"auths\":{\"r\":{\"auth\":\"" M "\"}}}\n"),
        ROW("curl -H 'Authorization: Basic Ym9iOmh1bnRlcjItMTAz' http://h/\n",
            "curl -H 'Authorization: Basic " M "' http://h/\n"),
        ROW("setAcl /x digest:bob:Ym9iOmh1bnRlcjItYWFhYWFhYWE=:cdrwa\n",
            "setAcl /x digest:bob:" M ":cdrwa\n"),
        ROW("id AKIAHUNTER2HUNTER2AB used\n", "id " M " used\n"),
};

/* Feeds of @size bytes. */
static uint64_t redact(struct buf *out, const struct redactor_setup *setup, const char *text,
                       size_t n, size_t size)
{
        _cleanup_(redactor_freep) struct redactor *r = NULL;
        int k = redactor_new_with(&r, setup);

        ck_assert_int_eq(k, 0);
        for (size_t at = 0; at < n; at += size)
                redactor_feed(r, text + at, size < n - at ? size : n - at, out);
        return redactor_end(r, out);
}

START_TEST(masks)
{
        static const enum redact_speed speeds[] = {REDACT_BEST, REDACT_NONE, REDACT_PORTABLE};
        static const size_t sizes[] = {1, 7, 4096};
        const struct row *row = &secrets[_i];

        for (size_t i = 0; i < ELEMENTSOF(speeds) * ELEMENTSOF(sizes); i++) {
                const struct redactor_setup setup = {.speed = speeds[i % ELEMENTSOF(speeds)]};
                _cleanup_(buf_done) struct buf out = {0};

                ck_assert_uint_gt(
                        redact(&out, &setup, row->in, row->n, sizes[i / ELEMENTSOF(speeds)]), 0);
                ck_assert_str_eq(buf_cstr(&out), row->want);
                ck_assert_uint_eq(out.n, row->n_want);
                ck_assert_mem_eq(out.data, row->want, out.n);
        }
}
END_TEST

/* With masks of either kind. */
START_TEST(masks_nothing_twice)
{
        const struct row *row = &secrets[_i];

        for (unsigned i = 0; i < 2; i++) {
                const struct redactor_setup setup = {.salt = i ? salt : NULL},
                                            plain = {.salt = NULL};
                _cleanup_(buf_done) struct buf once = {0}, twice = {0}, health = {0};

                ck_assert_uint_gt(redact(&once, &setup, row->in, row->n, 4096), 0);
                ck_assert_uint_eq(redact(&twice, &plain, once.data, once.n, 4096), 0);
                ck_assert_uint_eq(twice.n, once.n);
                ck_assert_mem_eq(twice.data, once.data, once.n);
                ck_assert_uint_eq(redact_append(&health, once.data, once.n), 0);
        }
}
END_TEST

/* Words of ordinary logs: systemd's, sshd's, polkit's, D-Bus's, Mesos's, nginx's, Docker's. */
static const char *const ordinary[] = {
        "",
        "\n\n",
        "zookeeper.service: Main process exited, code=exited, status=3/NOTIMPLEMENTED",
        "pam_unix(sshd:session): session opened for user root(uid=0) by (uid=0)",
        "pam_unix(sudo:auth): authentication failure; logname= uid=0",
        "Failed password for root from 10.0.0.1 port 22 ssh2",
        "Failed password for invalid user token from 10.0.0.1",
        "Accepted publickey for core from 10.0.0.7 port 51234 ssh2: RSA SHA256:AbCdEf0123456789",
        "Failed to set up credentials: Protocol error",
        "foo.service: Failed at step CREDENTIALS spawning /bin/x: No such file or directory",
        "Got message type=signal sender=:1.3 cookie=1234 reply_cookie=0 signature=s",
        "Started Dispatch Password Requests to Console Directory Watch.",
        "systemd-logind[612]: New session 12 of user core.",
        "2 passwords changed, token_count=5, tokens=5, n_tokens: 7",
        "password_file=/etc/x passwordless=yes",
        "tests: pass=3 fail=0 bypass=1",
        "oauth=2 database=x hash=1 monkey=2",
        "PWD=/root OLDPWD=/",
        "password=",
        "password=\"\" next",
        "password: null, token: none",
        "password=[1]",
        "secret: |",
        "passwords:\nuser: bob",
        "password: |\nuser: bob",
        "auth:\n  user: bob\n",
        "if (token == NULL) return auth::denied;",
        "GET http://auth:8080/v1 via proxy@secret:80",
        "see http://host/path?mail=me@example.org and scp me@host:/x",
        "http://user@host/ http://host:80/@x",
        "Bearer authentication required, Basic Authentication failed, BASIC MODE",
        "bearer token12 is short",
        "-p hunter2",
        "mkdir -p /var/lib/x && ps -u root && curl -fsS http://h/ -o x",
        "mysqld: ready for connections. socket: '/run/mysqld/mysqld.sock'  port: 3306 -P",
        "docker login succeeded for user bob",
        "--password-file /etc/x --token --secret",
        "eyJhbGciOi.notajwt",
        "AKIAIOSFODNN7EXAMPL AKIAIOSFODNN7EXAMPLE7 akiaiosfodnn7example",
        "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
        "-----BEGIN PUBLIC KEY-----\nMIIE\n-----END PUBLIC KEY-----",
        "{\"prompt\":\"Enter password:\",\"user\":\"bob\"}",
        "{\"secret\":[],\"auth\":{},\"secrets\":{\"a\":{\"source\":\"/x\"}}}",
        "{\"name\":\"HOME\",\"value\":\"/root\"}",
        "I1121 21:09:01.000000  1234 master.cpp:1234] Processing ACCEPT call for offers: [ 2b7a-O7 ]",
        "I1121 21:09:02.000000  1240 authenticator.cpp:99] Starting authentication session for crammd5",
        "10.0.0.9 - - [21/Nov/2026:21:09:01 +0000] \"GET /v2/apps HTTP/1.1\" 200 5 \"http://h/\" \"curl/7.88.1\"",
        "Digest: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "Session 0x1234 for server h/10.0.0.1:2181, sessionid = 0x17, negotiated timeout = 40000",
        "disk-0 task-1 npm_config_cache=/x ghp_short $6 $1 $2 US$5$",
        "<password></password><password/>",
        "passwd:         files systemd",
        "set password for user bob; ENV changed, user identified by uid 0, pass: 3",
        "\xff\xfe not \x80 UTF-8 \xc3",
};

START_TEST(leaves_alone)
{
        static const enum redact_speed speeds[] = {REDACT_BEST, REDACT_NONE};

        for (size_t i = 0; i < ELEMENTSOF(speeds); i++) {
                const struct redactor_setup setup = {.salt = salt, .speed = speeds[i]};
                _cleanup_(buf_done) struct buf out = {0};
                uint64_t n = redact(&out, &setup, ordinary[_i], strlen(ordinary[_i]), 4096);

                ck_assert_str_eq(buf_cstr(&out), ordinary[_i]);
                ck_assert_uint_eq(n, 0);
        }
}
END_TEST

static void read_fixture(struct buf *out, const char *name)
{
        _cleanup_(freep) char *path = NULL, *data = NULL;
        struct err e = {0};
        size_t n;

        ck_assert_int_ge(asprintf(&path, FIXTURES "/%s", name), 0);
        ck_assert_msg(fs_read(path, 1048576, &data, &n, &e) == 0, "%s", e.text);
        buf_append(out, data, n);
}

static void must_lack_needles(const struct buf *text, const char *name)
{
        _cleanup_(buf_done) struct buf needles = {0};
        char *rest, *needle;

        read_fixture(&needles, "needles.txt");
        for (rest = needles.data; (needle = strsep(&rest, "\n"));)
                ck_assert_msg(!*needle || !memmem(text->data, text->n, needle, strlen(needle)),
                              "%s still has %s", name, needle);
}

/* The files are what an end-to-end test plants. */
START_TEST(masks_the_fixtures)
{
        DIR *d = opendir(FIXTURES);
        const struct dirent *entry;
        unsigned n_files = 0;

        ck_assert_ptr_nonnull(d);
        while ((entry = readdir(d))) {
                const struct redactor_setup setup = {.salt = salt};
                _cleanup_(buf_done) struct buf text = {0}, out = {0};

                if (entry->d_name[0] == '.' || streq(entry->d_name, "needles.txt"))
                        continue;
                read_fixture(&text, entry->d_name);
                ck_assert_uint_gt(redact(&out, &setup, text.data, text.n, 100), 0);
                must_lack_needles(&out, entry->d_name);
                n_files++;
        }
        (void)closedir(d);
        ck_assert_uint_ge(n_files, 10);
}
END_TEST

static const char *mask_of(struct buf *out, const uint8_t *with, const char *text)
{
        const struct redactor_setup setup = {.salt = with};

        buf_clear(out);
        ck_assert_uint_eq(redact(out, &setup, text, strlen(text), 4096), 1);
        return strchr(buf_cstr(out), '[');
}

START_TEST(names_the_same_secret_alike)
{
        static const uint8_t other[REDACT_SALT_BYTES] = {43};
        _cleanup_(buf_done) struct buf a = {0}, b = {0};
        const char *mask = mask_of(&a, salt, "password=hunter2");

        /* HMAC-SHA-256 of hunter2, reckoned by Python. */
        ck_assert_str_eq(mask, "[redacted:50577c8a]");
        ck_assert_str_eq(mask_of(&b, salt, "{\"n\":1}\ntoken=hunter2"), mask);
        ck_assert_str_eq(mask_of(&b, salt, "http://u:hunter2@h") + strlen(mask), "@h");
        ck_assert_str_ne(mask_of(&b, salt, "password=hunter3"), mask);
        ck_assert_str_ne(mask_of(&b, other, "password=hunter2"), mask);
}
END_TEST

/* A line without end, made of many that have none of their own. */
static void add_long_line(struct buf *text, size_t n)
{
        while (text->n < n)
                buf_puts(
                        text,
                        "{\"id\":1,\"password\":\"hunter2-long\",\"url\":\"http://u:hunter2-long@h/\", \"x\": "
                        "\"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\"},");
}

START_TEST(cuts_long_lines_without_a_leak)
{
        const struct redactor_setup setup = {.line_bytes = LINE_BYTES - (size_t)_i * 37};
        _cleanup_(buf_done) struct buf text = {0}, out = {0}, pieces = {0}, whole = {0};
        const struct redactor_setup one = {.line_bytes = 1048576};
        uint64_t n;

        add_long_line(&text, 100000);
        n = redact(&out, &setup, text.data, text.n, text.n);
        ck_assert_ptr_null(memmem(out.data, out.n, "hunter2", 7));
        ck_assert_uint_eq(redact(&whole, &one, text.data, text.n, text.n), n);
        ck_assert_uint_eq(whole.n, out.n);
        ck_assert_mem_eq(whole.data, out.data, out.n);
        ck_assert_uint_eq(redact(&pieces, &setup, text.data, text.n, 13), n);
        ck_assert_uint_eq(pieces.n, out.n);
        ck_assert_mem_eq(pieces.data, out.data, out.n);
}
END_TEST

/* Longer than what is kept of a line, and each way of ending. */
static const struct {
        const char *before, *after, *want;
} endless[] = {
        {"password=\"",                   "\" b=c\n",   "password=\"" M "\" b=c\n"},
        {"password=",                     " b=c\n",     "password=" M " b=c\n"    },
        {"Cookie: ",                      "\nb\n",      "Cookie: " M "\nb\n"      },
        {"{\"m\":\"{\\\"secret\\\":\\\"", "\\\"}\"}\n",
         "{\"m\":\"{\\\"secret\\\":\\\"" M "\\\"}\"}\n"                           },
};

START_TEST(masks_secrets_without_end)
{
        const struct redactor_setup setup = {.line_bytes = LINE_BYTES};
        _cleanup_(buf_done) struct buf text = {0}, out = {0};

        buf_puts(&text, endless[_i].before);
        for (size_t i = 0; i < 3 * (size_t)LINE_BYTES; i++)
                buf_putc(&text, "hunter2"[i % 7]);
        buf_puts(&text, endless[_i].after);
        ck_assert_uint_eq(redact(&out, &setup, text.data, text.n, 100), 1);
        ck_assert_str_eq(buf_cstr(&out), endless[_i].want);
}
END_TEST

START_TEST(keeps_back_no_more_than_a_line)
{
        _cleanup_(redactor_freep) struct redactor *r = NULL;
        _cleanup_(buf_done) struct buf out = {0}, text = {0};

        add_long_line(&text, 4 * REDACT_LINE_BYTES);
        ck_assert_int_eq(redactor_new(&r, NULL, salt), 0);
        redactor_feed(r, text.data, text.n, &out);
        ck_assert_uint_ge(out.n + 2 * (size_t)REDACT_LINE_BYTES, text.n);
        buf_clear(&out);
        (void)redactor_end(r, &out);
        buf_clear(&out);
        redactor_feed(r, "password: |\n", 12, &out);
        ck_assert_uint_eq(redactor_end(r, &out), 0);
        redactor_feed(r, "  begun anew\n", 13, &out);
        ck_assert_uint_eq(redactor_end(r, &out), 0);
        ck_assert_str_eq(buf_cstr(&out), "password: |\n  begun anew\n");
}
END_TEST

START_TEST(gives_up_on_a_key_that_does_not_end)
{
        const struct redactor_setup setup = {.salt = NULL};
        _cleanup_(buf_done) struct buf text = {0}, out = {0};

        buf_puts(&text, "-----BEGIN PRIVATE KEY-----\n");
        for (unsigned i = 0; i < 2000; i++)
                buf_printf(&text, "line %u\n", i);
        ck_assert_uint_eq(redact(&out, &setup, text.data, text.n, 4096), 1024);
        ck_assert_ptr_null(strstr(buf_cstr(&out), "line 1023\n"));
        ck_assert_ptr_nonnull(strstr(buf_cstr(&out), "line 1024\n"));
}
END_TEST

START_TEST(reports_a_full_buffer)
{
        _cleanup_(redactor_freep) struct redactor *r = NULL;
        _cleanup_(buf_done) struct buf out = {.max = 12};

        ck_assert_int_eq(redactor_new(&r, NULL, NULL), 0);
        redactor_feed(r, "password=a\n", 11, &out);
        (void)redactor_end(r, &out);
        ck_assert_int_lt(out.error, 0);
        ck_assert_str_eq(buf_cstr(&out), "");
}
END_TEST

/* What a quadratic scanner would still be at when check's timeout comes: one line of each. */
static const char *const hostile[] = {
        "eyJ.eyJ.a.",
        "auth:auth ",
        "cookie:[",
        "password=\"\\",
        "'token=\"token=`token=",
        "a://b:c@",
        "-----BEGIN PRIVATE KEY-----",
        "secret=\"-----BEGIN PRIVATE KEY----------END PRIVATE KEY-----secret='",
        "basic ",
        "--password ",
        "password   ",
        "login user password ",
        "mysql -p",
        "curl -u ",
        "curl -u a",
        "{\"value\":\"x\",\"name\":\"password\"}",
        "\"x\",\"name\":\"password\"",
        "name=password ",
        "$6$a$",
        "$6$",
        "<password>",
        "<password",
        "password:[\"a\",",
        "\"--password\",",
        "addauth digest ",
        "digest:a:",
        "password=x\\",
        "[redacted",
        "password: a ",
        "ghp_ghp_",
};

START_TEST(stays_linear)
{
        const struct redactor_setup setup = {.salt = salt};
        _cleanup_(buf_done) struct buf in = {0}, out = {0};

        while (in.n < REDACT_LINE_BYTES)
                buf_puts(&in, hostile[_i]);
        (void)redact(&out, &setup, in.data, in.n, 65536);
        ck_assert_int_eq(out.error, 0);
        ck_assert_uint_le(out.n, in.n * REDACT_MASK_MAX);
}
END_TEST

int main(void)
{
        Suite *s = suite_create("redactor");
        TCase *tc = tcase_create("pieces");

        tcase_add_loop_test(tc, masks, 0, ELEMENTSOF(secrets));
        tcase_add_loop_test(tc, masks_nothing_twice, 0, ELEMENTSOF(secrets));
        tcase_add_loop_test(tc, leaves_alone, 0, ELEMENTSOF(ordinary));
        tcase_add_test(tc, masks_the_fixtures);
        tcase_add_test(tc, names_the_same_secret_alike);
        tcase_add_loop_test(tc, cuts_long_lines_without_a_leak, 0, 8);
        tcase_add_loop_test(tc, masks_secrets_without_end, 0, ELEMENTSOF(endless));
        tcase_add_test(tc, keeps_back_no_more_than_a_line);
        tcase_add_test(tc, gives_up_on_a_key_that_does_not_end);
        tcase_add_test(tc, reports_a_full_buffer);
        tcase_add_loop_test(tc, stays_linear, 0, ELEMENTSOF(hostile));
        suite_add_tcase(s, tc);
        return test_main(s);
}
