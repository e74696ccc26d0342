#pragma once

/*
 * Which paths an archive may have. What is refused here, programs that unpack disagree about, or a terminal
 * obeys. Pure, any thread.
 */

#include "base/cleanup.h"

#define ARCHIVE_PATH_MAX 1024u /* bytes of an entry's path, with a NUL */

/**
 * archive_path_is_clean() - relative; no empty, "." or ".." segment; no control characters; valid UTF-8
 * @n: bytes; a NUL among them is a control character
 *
 * ".." counts between backslashes, too: they separate on other systems. Alone they are letters: systemd's
 * names have them ("dev-disk-by\x2dlabel.device").
 */
bool archive_path_is_clean(const char *path, size_t n) _pure_;
