// A DICOM association of ours with the archive, over the local socket: blocking, one message at a time.
//
// The protocol is src/ul's; here are only reading, writing and waiting. Used by the confined halves of
// import and export: it opens nothing.
#ifndef CLI_SCU_H
#define CLI_SCU_H

#include "ul/assoc.h"
#include "ul/negotiate.h"

#define SCU_AE_TITLE "GALENA_LOCAL"

struct scu;

// Consumes take_fd, also on failure. Returns once the archive has agreed; a refusal is ERR_DENIED.
enum err scu_open(int take_fd, const struct ul_associate *rq, struct scu **ret_scu, struct fault *f);
void scu_close(struct scu *s); // releases in good order; NULL is fine

struct ul_assoc *scu_assoc(const struct scu *s);
uint16_t scu_next_id(struct scu *s); // message ids

enum err scu_send_command(struct scu *s, uint8_t context, const struct dimse_command *c,
                          struct fault *f);
enum err scu_send_piece(struct scu *s, uint8_t context, struct slice piece, bool last, struct fault *f);

// The next event; the end of the association in any way is an error.
enum err scu_wait(struct scu *s, struct ul_assoc_event *ret_event, struct fault *f);
// The next command, passing over nothing.
enum err scu_wait_command(struct scu *s, struct dimse_command *ret_command, uint8_t *ret_context,
                          struct fault *f);
// The data set that follows a command, whole. More than out->max: ERR_LIMIT.
enum err scu_wait_data(struct scu *s, struct buf *out, struct fault *f);

#endif
