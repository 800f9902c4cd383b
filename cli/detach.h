/*
 * detach.h - going into the background, and telling the one who typed the command how that went.
 */
#ifndef CLI_DETACH_H
#define CLI_DETACH_H

/*
 * Goes into the background: own session, no terminal, standard streams at /dev/null.
 * Returns twice. In the daemon: -1, with the descriptor for detach_report() in *ret_report_fd. In the calling process: the exit code
 * that the daemon reported, after its sentence was printed.
 */
int detach(int *ret_report_fd);

/* Ends the wait of the calling process: exit code 0 and a sentence for stdout, or another one and a sentence for stderr. Closes *fd; -1 is allowed. */
void detach_report(int *fd, int exit_code, const char *sentence);

#endif
