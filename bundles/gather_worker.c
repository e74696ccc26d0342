/*
 * A queue under a lock. What has been run stands in a second one, which the loop empties: loop_post() has no way
 * to take back what it was given, and after worker_free() nobody may be called any more.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include "bundles/gather_worker.h"

STAILQ_HEAD(work_queue, work);

struct worker {
        pthread_t thread;
        pthread_mutex_t lock;
        pthread_cond_t wake;
        struct work_queue waiting, over; /* under the lock */
        bool stop;                       /* under the lock */
        int event_fd;                    /* something is over */
        sd_event_source *source;
};

static struct work *take(struct worker *w)
{
        struct work *work;

        pthread_mutex_lock(&w->lock);
        while (!w->stop && STAILQ_EMPTY(&w->waiting))
                pthread_cond_wait(&w->wake, &w->lock);
        work = w->stop ? NULL : STAILQ_FIRST(&w->waiting);
        if (work)
                STAILQ_REMOVE_HEAD(&w->waiting, link);
        pthread_mutex_unlock(&w->lock);
        return work;
}

static void *run(void *arg)
{
        struct worker *w = arg;
        struct work *work;

        while ((work = take(w))) {
                work->run(work);
                pthread_mutex_lock(&w->lock);
                STAILQ_INSERT_TAIL(&w->over, work, link);
                pthread_mutex_unlock(&w->lock);
                (void)eventfd_write(w->event_fd, 1);
        }
        return NULL;
}

static int on_over(_unused_ sd_event_source *s, int fd, _unused_ uint32_t revents, void *userdata)
{
        struct worker *w = userdata;
        struct work_queue over = STAILQ_HEAD_INITIALIZER(over);
        struct work *work;
        eventfd_t n;

        (void)eventfd_read(fd, &n);
        pthread_mutex_lock(&w->lock);
        STAILQ_CONCAT(&over, &w->over);
        pthread_mutex_unlock(&w->lock);
        while ((work = STAILQ_FIRST(&over))) {
                STAILQ_REMOVE_HEAD(&over, link);
                work->done(work);
        }
        return 0;
}

int worker_new(struct worker **ret, struct loop *l)
{
        struct worker *w = calloc(1, sizeof(*w));
        int k;

        if (!w)
                return -ENOMEM;
        STAILQ_INIT(&w->waiting);
        STAILQ_INIT(&w->over);
        pthread_mutex_init(&w->lock, NULL);
        pthread_cond_init(&w->wake, NULL);
        w->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        k = w->event_fd < 0
                    ? -errno
                    : sd_event_add_io(loop_event(l), &w->source, w->event_fd, EPOLLIN, on_over, w);
        if (k >= 0)
                k = -pthread_create(&w->thread, NULL, run, w);
        if (k < 0) {
                sd_event_source_disable_unref(w->source);
                closep(&w->event_fd);
                pthread_cond_destroy(&w->wake);
                pthread_mutex_destroy(&w->lock);
                free(w);
                return k;
        }
        *ret = w;
        return 0;
}

struct worker *worker_free(struct worker *w)
{
        if (!w)
                return NULL;
        pthread_mutex_lock(&w->lock);
        w->stop = true;
        pthread_cond_signal(&w->wake);
        pthread_mutex_unlock(&w->lock);
        pthread_join(w->thread, NULL);
        sd_event_source_disable_unref(w->source);
        close(w->event_fd);
        pthread_cond_destroy(&w->wake);
        pthread_mutex_destroy(&w->lock);
        free(w);
        return NULL;
}

void worker_push(struct worker *w, struct work *work)
{
        pthread_mutex_lock(&w->lock);
        STAILQ_INSERT_TAIL(&w->waiting, work, link);
        pthread_cond_signal(&w->wake);
        pthread_mutex_unlock(&w->lock);
}
