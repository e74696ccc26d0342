/* A state for each thing that may come next, and a function for each state: it takes one byte. */

#include <errno.h>

#include "aggregator/json_events.h"

enum state {
        STATE_VALUE = 0,
        STATE_FIRST_ITEM, /* a value, or the end of the list */
        STATE_FIRST_KEY,  /* a key, or the end of the object */
        STATE_KEY,
        STATE_COLON,
        STATE_AFTER_VALUE,
        STATE_DONE,
        STATE_STRING,
        STATE_ESCAPE,
        STATE_HEX,
        STATE_LOW_BACKSLASH, /* of the second half of a surrogate pair */
        STATE_LOW_U,
        STATE_MINUS,
        STATE_ZERO,
        STATE_WHOLE,
        STATE_POINT,
        STATE_FRACTION,
        STATE_E,
        STATE_E_SIGN,
        STATE_EXPONENT,
        STATE_WORD,
        N_STATES
};

static int after_value(struct json_events *x, unsigned char c);

static bool is_blank(unsigned char c)
{
        return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static bool is_digit(unsigned char c)
{
        return c >= '0' && c <= '9';
}

static int emit(struct json_events *x, enum json_event_type type)
{
        bool has_text = type == JSON_EVENT_KEY || type == JSON_EVENT_STRING;
        const struct json_event ev = {
                .type = type,
                .depth = x->depth,
                .text = has_text ? x->text : "",
                .n = has_text ? x->n : 0,
                .cut = has_text && x->cut,
        };

        return x->fn(&ev, x->userdata);
}

/* --- objects and lists ------------------------------------------------------------------------- */

static int open_one(struct json_events *x, bool is_object)
{
        int k;

        if (x->depth == JSON_EVENTS_DEPTH_MAX)
                return -E2BIG;
        k = emit(x, is_object ? JSON_EVENT_BEGIN_OBJECT : JSON_EVENT_BEGIN_LIST);
        x->objects &= ~(UINT32_C(1) << x->depth);
        x->objects |= (uint32_t)is_object << x->depth;
        x->depth++;
        x->state = is_object ? STATE_FIRST_KEY : STATE_FIRST_ITEM;
        return k;
}

static bool in_object(const struct json_events *x)
{
        return x->objects >> (x->depth - 1) & 1;
}

static int close_one(struct json_events *x, bool is_object)
{
        if (x->depth == 0 || in_object(x) != is_object)
                return -EBADMSG;
        x->depth--;
        x->state = x->depth ? STATE_AFTER_VALUE : STATE_DONE;
        return emit(x, is_object ? JSON_EVENT_END_OBJECT : JSON_EVENT_END_LIST);
}

/* --- strings ----------------------------------------------------------------------------------- */

static void begin_string(struct json_events *x, bool is_key)
{
        x->is_key = is_key;
        x->n = 0;
        x->cut = false;
        x->n_more = 0;
        x->high_surrogate = 0;
        x->state = STATE_STRING;
}

static int end_string(struct json_events *x)
{
        x->text[x->n] = '\0';
        x->state = x->is_key ? STATE_COLON : STATE_AFTER_VALUE;
        return emit(x, x->is_key ? JSON_EVENT_KEY : JSON_EVENT_STRING);
}

static void put(struct json_events *x, unsigned char c)
{
        if (x->n < JSON_EVENTS_TEXT_MAX)
                x->text[x->n++] = (char)c;
        else
                x->cut = true;
}

/* Neither longer than needed, nor a surrogate, nor beyond U+10FFFF (RFC 3629). */
static int begin_character(struct json_events *x, unsigned char c)
{
        if (c < 0xc2 || c > 0xf4)
                return -EBADMSG;
        x->n_more = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
        x->low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
        x->high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
        return 0;
}

static int go_on_character(struct json_events *x, unsigned char c)
{
        if (c < x->low || c > x->high)
                return -EBADMSG;
        x->n_more--;
        x->low = 0x80;
        x->high = 0xbf;
        return 0;
}

static int string(struct json_events *x, unsigned char c)
{
        int k = 0;

        if (x->n_more)
                k = go_on_character(x, c);
        else if (c == '"')
                return end_string(x);
        else if (c == '\\') {
                x->state = STATE_ESCAPE;
                return 0;
        } else if (c < 0x20)
                return -EBADMSG;
        else if (c >= 0x80)
                k = begin_character(x, c);
        put(x, c);
        return k;
}

static int escape(struct json_events *x, unsigned char c)
{
        static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
        const char *p = c ? strchr(from, c) : NULL;

        if (c == 'u') {
                x->code = x->n_hex = 0;
                x->state = STATE_HEX;
                return 0;
        }
        if (!p)
                return -EBADMSG;
        put(x, (unsigned char)to[p - from]);
        x->state = STATE_STRING;
        return 0;
}

static void put_code(struct json_events *x, unsigned code)
{
        if (code < 0x80)
                put(x, (unsigned char)code);
        else if (code < 0x800)
                put(x, (unsigned char)(0xc0 | code >> 6));
        else if (code < 0x10000)
                put(x, (unsigned char)(0xe0 | code >> 12));
        else {
                put(x, (unsigned char)(0xf0 | code >> 18));
                put(x, (unsigned char)(0x80 | (code >> 12 & 0x3f)));
        }
        if (code >= 0x800)
                put(x, (unsigned char)(0x80 | (code >> 6 & 0x3f)));
        if (code >= 0x80)
                put(x, (unsigned char)(0x80 | (code & 0x3f)));
}

static int end_hex(struct json_events *x)
{
        bool is_high = x->code >= 0xd800 && x->code < 0xdc00,
             is_low = x->code >= 0xdc00 && x->code < 0xe000;

        if (is_low != (x->high_surrogate != 0))
                return -EBADMSG;
        if (is_high) {
                x->high_surrogate = x->code;
                x->state = STATE_LOW_BACKSLASH;
                return 0;
        }
        if (is_low)
                x->code = 0x10000 + ((x->high_surrogate - 0xd800) << 10) + (x->code - 0xdc00);
        x->high_surrogate = 0;
        put_code(x, x->code);
        x->state = STATE_STRING;
        return 0;
}

static int hex(struct json_events *x, unsigned char c)
{
        unsigned char letter = c | 0x20;

        if (!is_digit(c) && (letter < 'a' || letter > 'f'))
                return -EBADMSG;
        x->code = x->code << 4 | (unsigned)(is_digit(c) ? c - '0' : letter - 'a' + 10);
        return ++x->n_hex < 4 ? 0 : end_hex(x);
}

static int low_backslash(struct json_events *x, unsigned char c)
{
        x->state = STATE_LOW_U;
        return c == '\\' ? 0 : -EBADMSG;
}

static int low_u(struct json_events *x, unsigned char c)
{
        x->code = x->n_hex = 0;
        x->state = STATE_HEX;
        return c == 'u' ? 0 : -EBADMSG;
}

/* --- numbers and words ------------------------------------------------------------------------- */

/* Only what follows tells that a number has ended. */
static int end_number(struct json_events *x, unsigned char c)
{
        int k;

        x->state = STATE_AFTER_VALUE;
        k = emit(x, JSON_EVENT_NUMBER);
        return k < 0 ? k : after_value(x, c);
}

static int minus(struct json_events *x, unsigned char c)
{
        x->state = c == '0' ? STATE_ZERO : STATE_WHOLE;
        return is_digit(c) ? 0 : -EBADMSG;
}

static int end_whole(struct json_events *x, unsigned char c)
{
        if (c != '.' && c != 'e' && c != 'E')
                return end_number(x, c);
        x->state = c == '.' ? STATE_POINT : STATE_E;
        return 0;
}

static int whole(struct json_events *x, unsigned char c)
{
        return is_digit(c) ? 0 : end_whole(x, c);
}

static int point(struct json_events *x, unsigned char c)
{
        x->state = STATE_FRACTION;
        return is_digit(c) ? 0 : -EBADMSG;
}

static int fraction(struct json_events *x, unsigned char c)
{
        if (is_digit(c))
                return 0;
        if (c != 'e' && c != 'E')
                return end_number(x, c);
        x->state = STATE_E;
        return 0;
}

static int e_sign(struct json_events *x, unsigned char c)
{
        x->state = STATE_EXPONENT;
        return is_digit(c) ? 0 : -EBADMSG;
}

static int e(struct json_events *x, unsigned char c)
{
        if (c != '+' && c != '-')
                return e_sign(x, c);
        x->state = STATE_E_SIGN;
        return 0;
}

static int exponent(struct json_events *x, unsigned char c)
{
        return is_digit(c) ? 0 : end_number(x, c);
}

static int begin_word(struct json_events *x, const char *rest, enum json_event_type type)
{
        x->word = rest;
        x->word_type = type;
        x->state = STATE_WORD;
        return 0;
}

static int word(struct json_events *x, unsigned char c)
{
        if ((unsigned char)*x->word++ != c)
                return -EBADMSG;
        if (*x->word)
                return 0;
        x->state = STATE_AFTER_VALUE;
        return emit(x, x->word_type);
}

/* --- what stands between ----------------------------------------------------------------------- */

static int scalar(struct json_events *x, unsigned char c)
{
        if (x->depth == 0)
                return -EBADMSG;
        switch (c) {
        case '"':
                begin_string(x, false);
                return 0;
        case '-':
                x->state = STATE_MINUS;
                return 0;
        case 't':
                return begin_word(x, "rue", JSON_EVENT_TRUE);
        case 'f':
                return begin_word(x, "alse", JSON_EVENT_FALSE);
        case 'n':
                return begin_word(x, "ull", JSON_EVENT_NULL);
        default:
                return minus(x, c);
        }
}

static int value(struct json_events *x, unsigned char c)
{
        if (is_blank(c))
                return 0;
        return c == '{' || c == '[' ? open_one(x, c == '{') : scalar(x, c);
}

static int first_item(struct json_events *x, unsigned char c)
{
        return c == ']' ? close_one(x, false) : value(x, c);
}

static int key(struct json_events *x, unsigned char c)
{
        if (is_blank(c))
                return 0;
        begin_string(x, true);
        return c == '"' ? 0 : -EBADMSG;
}

static int first_key(struct json_events *x, unsigned char c)
{
        return c == '}' ? close_one(x, true) : key(x, c);
}

static int colon(struct json_events *x, unsigned char c)
{
        if (is_blank(c))
                return 0;
        x->state = STATE_VALUE;
        return c == ':' ? 0 : -EBADMSG;
}

static int after_value(struct json_events *x, unsigned char c)
{
        if (is_blank(c))
                return 0;
        if (c == '}' || c == ']')
                return close_one(x, c == '}');
        x->state = in_object(x) ? STATE_KEY : STATE_VALUE;
        return c == ',' ? 0 : -EBADMSG;
}

static int done(_unused_ struct json_events *x, unsigned char c)
{
        return is_blank(c) ? 0 : -EBADMSG;
}

/* --- all of it --------------------------------------------------------------------------------- */

void json_events_init(struct json_events *x, json_event_fn fn, void *userdata)
{
        *x = (struct json_events){.fn = fn, .userdata = userdata};
}

int json_events_feed(struct json_events *x, const char *text, size_t n)
{
        static int (*const take[N_STATES])(struct json_events *, unsigned char) = {
                [STATE_VALUE] = value,
                [STATE_FIRST_ITEM] = first_item,
                [STATE_FIRST_KEY] = first_key,
                [STATE_KEY] = key,
                [STATE_COLON] = colon,
                [STATE_AFTER_VALUE] = after_value,
                [STATE_DONE] = done,
                [STATE_STRING] = string,
                [STATE_ESCAPE] = escape,
                [STATE_HEX] = hex,
                [STATE_LOW_BACKSLASH] = low_backslash,
                [STATE_LOW_U] = low_u,
                [STATE_MINUS] = minus,
                [STATE_ZERO] = end_whole,
                [STATE_WHOLE] = whole,
                [STATE_POINT] = point,
                [STATE_FRACTION] = fraction,
                [STATE_E] = e,
                [STATE_E_SIGN] = e_sign,
                [STATE_EXPONENT] = exponent,
                [STATE_WORD] = word,
        };

        for (size_t i = 0; x->fault == 0 && i < n; i++)
                x->fault = take[x->state](x, (unsigned char)text[i]);
        return x->fault;
}

int json_events_end(struct json_events *x)
{
        if (x->fault == 0 && x->state != STATE_DONE)
                x->fault = -EBADMSG;
        return x->fault;
}
