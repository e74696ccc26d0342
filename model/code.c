/* The closed list of reasons, as words. */

#include "model/code.h"

static const char *const words[DIAG_N_CODES] = {[DIAG_CODE_NONE] = "",
#define X(name, word) [DIAG_CODE_##name] = (word),
                                                DIAG_CODES(X)
#undef X
};

const char *diag_code_to_string(enum diag_code c)
{
        return words[c];
}

enum diag_code diag_code_from_string(const char *s)
{
        for (size_t i = 1; i < DIAG_N_CODES; i++)
                if (streq(s, words[i]))
                        return (enum diag_code)i;
        return DIAG_CODE_NONE;
}
