#pragma once

/*
 * Where we write: how wide it is, whether it has colours, and what may be sent there. Text that came
 * from a daemon may hold escape sequences; nothing of them reaches a terminal. Widths are those of
 * wcwidth(3): main() has set a UTF-8 locale.
 */

#include "base/buf.h"
#include "model/health.h"

struct term {
        unsigned n_columns; /* 0: as many as it takes */
        bool is_tty;
        bool colour;
};

enum hue {
        HUE_PLAIN = 0,
        HUE_GOOD,
        HUE_BAD,
        HUE_UNSURE,
        HUE_DIM,
        HUE_STRONG,
};

/** term_of() - what is at the other end of @fd. $COLUMNS, $NO_COLOR (https://no-color.org), $TERM. */
struct term term_of(int fd);

/** term_paint() - append @text, which is clean already, in a colour if there are any. */
void term_paint(const struct term *t, struct buf *out, enum hue hue, const char *text);

/** hue_of_health() - the same everywhere. */
enum hue hue_of_health(enum diag_health h) _const_;

/** term_flush() - write all of @b to @fd. 0 or -errno. */
int term_flush(int fd, const struct buf *b);

/** term_complain() - one line on stderr, cleaned: "diag status: …". */
void term_complain(const char *who, const char *fmt, ...) _printf_(2, 3);

/**
 * text_append_clean() - append one line's worth of @text without anything that a terminal obeys
 *
 * Colours (SGR sequences) go silently. Blanks of any kind become a blank; other control characters
 * (C0, C1), marks that turn the direction of text, and what is not UTF-8 become '?', so that a text
 * cannot hide that there was something.
 */
void text_append_clean(struct buf *out, const char *text);

/** text_append_lines() - the same for each line of @text, with @n_indent blanks in front. */
void text_append_lines(struct buf *out, const char *text, unsigned n_indent);

/** text_columns() - how wide a clean @text is. */
unsigned text_columns(const char *text) _pure_;

/** text_append_cut() - append what fits into @n_columns of a clean @text, with "…" if that is not all. */
void text_append_cut(struct buf *out, const char *text, unsigned n_columns);

/** text_append_age() - "42 s", "3 min", "5 h", "12 d": one number, rounded down. */
void text_append_age(struct buf *out, uint64_t usec);

/** text_append_moment() - "2026-11-21T11:57:00.000Z (3 min ago)", or "(in 3 min)". */
void text_append_moment(struct buf *out, uint64_t now_wall_usec, uint64_t wall_usec);

/** text_append_took() - how long something took: "12 ms", "1.5 s". */
void text_append_took(struct buf *out, uint64_t usec);
