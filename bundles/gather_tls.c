/* Read, handed over, and forgotten. */

#include "base/fs.h"
#include "bundles/gather_tls.h"

static int read_pem(const char *path, char **ret, struct err *e)
{
        return path ? fs_read(path, FETCH_PEM_MAX, ret, NULL, e) : 0;
}

int gather_use_tls(struct fetcher *f, const char *ca_file, const char *cert_file,
                   const char *key_file, struct err *e)
{
        _cleanup_(freep) char *ca = NULL, *certificate = NULL, *key = NULL;
        struct fetch_tls tls;
        int k;

        if (!ca_file && !cert_file)
                return 0;
        k = read_pem(ca_file, &ca, e);
        if (k >= 0)
                k = read_pem(cert_file, &certificate, e);
        if (k >= 0)
                k = read_pem(key_file, &key, e);
        tls = (struct fetch_tls){.ca_pem = ca, .certificate_pem = certificate, .key_pem = key};
        if (k >= 0)
                k = fetcher_set_tls(f, &tls, e);
        if (key)
                explicit_bzero(key, strlen(key));
        return k;
}
