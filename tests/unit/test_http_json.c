/* JSON pointers, and what stands where they point. */

#include "probes/http_json.h"
#include "tests/unit/test_main.h"

/* clang-format off */
static const struct {
        const char *pointer;
        bool valid;
} pointers[] = {
        {"", true},
        {"/", true},
        {"/a/b~0c~1d/0", true},
        {"a", false},
        {"/a~", false},
        {"/a~2", false},
        {"a/b", false},
};

#define DOCUMENT "{\"s\":\"green\",\"t\":true,\"f\":false,\"n\":null,\"i\":3,\"m\":-7,\"r\":1.5,\"e\":\"\"," \
        "\"o\":{\"\":1,\"a/b\":2,\"m~n\":3,\"0\":4},\"l\":[10,[20,{\"x\":\"y\"}]],\"u\":\"a\\u0000b\"," \
        "\"big\":9223372036854775807,\"t2\":\"true\"}"

static const struct {
        const char *pointer, *value;
        enum http_json_answer answer;
} cases[] = {
        {"/s", "green", HTTP_JSON_AS_EXPECTED},
        {"/s", "red", HTTP_JSON_DIFFERENT},
        {"/s", "green ", HTTP_JSON_DIFFERENT},
        {"/s", NULL, HTTP_JSON_AS_EXPECTED},
        {"/e", NULL, HTTP_JSON_AS_EXPECTED},
        {"/e", "", HTTP_JSON_AS_EXPECTED},
        {"/t", NULL, HTTP_JSON_AS_EXPECTED},
        {"/t", "true", HTTP_JSON_AS_EXPECTED},
        {"/t2", "true", HTTP_JSON_AS_EXPECTED},
        {"/t", "1", HTTP_JSON_DIFFERENT},
        {"/f", NULL, HTTP_JSON_DIFFERENT},
        {"/f", "false", HTTP_JSON_AS_EXPECTED},
        {"/n", NULL, HTTP_JSON_DIFFERENT},
        {"/n", "null", HTTP_JSON_AS_EXPECTED},
        {"/i", NULL, HTTP_JSON_AS_EXPECTED},
        {"/i", "3", HTTP_JSON_AS_EXPECTED},
        {"/i", "3.0", HTTP_JSON_AS_EXPECTED},
        {"/i", "4", HTTP_JSON_DIFFERENT},
        {"/i", " 3", HTTP_JSON_DIFFERENT},
        {"/i", "0x3", HTTP_JSON_DIFFERENT},
        {"/i", "", HTTP_JSON_DIFFERENT},
        {"/i", "-", HTTP_JSON_DIFFERENT},
        {"/m", "-7", HTTP_JSON_AS_EXPECTED},
        {"/r", "1.50", HTTP_JSON_AS_EXPECTED},
        {"/r", "15e-1", HTTP_JSON_AS_EXPECTED},
        {"/r", "1", HTTP_JSON_DIFFERENT},
        {"/r", "inf", HTTP_JSON_DIFFERENT},
        {"/big", "9223372036854775807", HTTP_JSON_AS_EXPECTED},
        {"/big", "9223372036854775806", HTTP_JSON_DIFFERENT},
        {"/o", NULL, HTTP_JSON_AS_EXPECTED},
        {"/o", "{}", HTTP_JSON_DIFFERENT},
        {"/o/", "1", HTTP_JSON_AS_EXPECTED},
        {"/o/a~1b", "2", HTTP_JSON_AS_EXPECTED},
        {"/o/m~0n", "3", HTTP_JSON_AS_EXPECTED},
        {"/o/0", "4", HTTP_JSON_AS_EXPECTED},
        {"/o/x", NULL, HTTP_JSON_MISSING},
        {"/l/0", "10", HTTP_JSON_AS_EXPECTED},
        {"/l/1/1/x", "y", HTTP_JSON_AS_EXPECTED},
        {"/l/2", NULL, HTTP_JSON_MISSING},
        {"/l/00", NULL, HTTP_JSON_MISSING},
        {"/l/-", NULL, HTTP_JSON_MISSING},
        {"/l/", NULL, HTTP_JSON_MISSING},
        {"/l/18446744073709551616", NULL, HTTP_JSON_MISSING},
        {"/s/0", NULL, HTTP_JSON_MISSING},
        {"/u", "a", HTTP_JSON_DIFFERENT},
        {"", NULL, HTTP_JSON_AS_EXPECTED},
};

static const struct {
        const char *text, *value;
        enum http_json_answer answer;
} documents[] = {
        {"", NULL, HTTP_JSON_BROKEN},
        {"{", NULL, HTTP_JSON_BROKEN},
        {"{} x", NULL, HTTP_JSON_BROKEN},
        {"<html>", NULL, HTTP_JSON_BROKEN},
        {"\"\xff\"", NULL, HTTP_JSON_BROKEN},
        {"true", NULL, HTTP_JSON_AS_EXPECTED},
        {"false", NULL, HTTP_JSON_DIFFERENT},
        {"42", "42", HTTP_JSON_AS_EXPECTED},
        {" \"x\"\n", "x", HTTP_JSON_AS_EXPECTED},
        {"18446744073709551616", "18446744073709551616", HTTP_JSON_AS_EXPECTED}, /* over 64 bits */
};
/* clang-format on */

START_TEST(knows_a_pointer)
{
        ck_assert_int_eq(http_json_pointer_valid(pointers[_i].pointer), pointers[_i].valid);
}
END_TEST

START_TEST(looks_where_the_pointer_points)
{
        ck_assert_msg(http_json_ask(DOCUMENT, sizeof(DOCUMENT) - 1, cases[_i].pointer,
                                    cases[_i].value) == (int)cases[_i].answer,
                      "%s", cases[_i].pointer);
}
END_TEST

START_TEST(reads_a_document)
{
        const char *text = documents[_i].text;

        ck_assert_int_eq(http_json_ask(text, strlen(text), "", documents[_i].value),
                         documents[_i].answer);
}
END_TEST

START_TEST(does_not_need_a_nul_at_the_end)
{
        ck_assert_int_eq(http_json_ask("[1,2]]]", 5, "/1", "2"), HTTP_JSON_AS_EXPECTED);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("http_json");
        TCase *tc = tcase_create("http_json");

        tcase_add_loop_test(tc, knows_a_pointer, 0, ELEMENTSOF(pointers));
        tcase_add_loop_test(tc, looks_where_the_pointer_points, 0, ELEMENTSOF(cases));
        tcase_add_loop_test(tc, reads_a_document, 0, ELEMENTSOF(documents));
        tcase_add_test(tc, does_not_need_a_nul_at_the_end);
        suite_add_tcase(suite, tc);
        return test_main(suite);
}
