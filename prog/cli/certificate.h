// The server's own certificates: tls/server.cert.pem, which devices see, and tls/https.cert.pem, which
// browsers see. Those that the archive's authority has issued are renewed here; those of another authority
// are its own to renew, and stay. The working folder is the archive's.
#ifndef CLI_CERTIFICATE_H
#define CLI_CERTIFICATE_H

#include "base/err.h"
#include "conf/conf.h"

// Both, for a new archive that has an authority, on all names by which it will be called.
enum err certificates_make(const struct conf *c, struct fault *f);

// Before the server starts or reads its settings again: the one for browsers is issued anew when a third of
// its time is left, or the settings call the server by a name that it lacks. Says so on standard error. It is
// no failure of what comes next if that is impossible: that is said, too.
void certificate_keep_fresh(void);

void certificate_say_days(void); // lines for galena status

#endif
