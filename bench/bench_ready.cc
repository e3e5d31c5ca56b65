// bench_ready.cc: the ready ring, as the engine uses it (one producer, the ticker, and several
// consumers, the workers), against a queue of the same size under a mutex.
//
// Both refuse when full and when empty; whoever is refused yields. Names are Pair<Rival> (put and
// take on one thread) and Transfer<Rival>/consumers. Counters: ns by the wall clock and cpu_ns of
// all threads, per item.
#include "ready_cover.h"

#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <pthread.h>
#include <sched.h>
#include <thread>
#include <time.h>
#include <vector>

namespace
{

class Ring
{
  public:
    Ring()
    {
        if (!cover_)
            std::abort();
    }
    ~Ring()
    {
        pawl_ready_cover_free(cover_);
    }
    Ring(const Ring &) = delete;
    Ring &operator=(const Ring &) = delete;

    bool put(void *item)
    {
        return pawl_ready_cover_put(cover_, item);
    }
    void *take()
    {
        return pawl_ready_cover_take(cover_);
    }

  private:
    pawl_ready_cover *cover_ = pawl_ready_cover_new();
};

class Mutex
{
  public:
    bool put(void *item)
    {
        pthread_mutex_lock(&lock_);
        bool has_room = tail_ - head_ < items_.size();
        if (has_room)
            items_[tail_++ % items_.size()] = item;
        pthread_mutex_unlock(&lock_);
        return has_room;
    }
    void *take()
    {
        pthread_mutex_lock(&lock_);
        void *item = head_ < tail_ ? items_[head_++ % items_.size()] : nullptr;
        pthread_mutex_unlock(&lock_);
        return item;
    }

  private:
    pthread_mutex_t lock_ = PTHREAD_MUTEX_INITIALIZER;
    std::vector<void *> items_ = std::vector<void *>(pawl_ready_cover_capacity() + 1);
    std::size_t head_ = 0, tail_ = 0;
};

std::size_t
items()
{
    return std::getenv("PAWL_BENCH_SMOKE") ? 10000 : 2000000;
}

double
seconds(clockid_t clock)
{
    timespec at;

    clock_gettime(clock, &at);
    return static_cast<double>(at.tv_sec) + static_cast<double>(at.tv_nsec) / 1e9;
}

void
report(benchmark::State &state, double wall, double cpu)
{
    double n = static_cast<double>(items());

    state.SetIterationTime(wall);
    state.counters["ns"] = wall * 1e9 / n;
    state.counters["cpu_ns"] = cpu * 1e9 / n;
}

template <typename Rival>
void
BM_Pair(benchmark::State &state)
{
    Rival rival;
    int item;

    for (auto _ : state) {
        double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);

        for (std::size_t i = 0; i < items(); i++) {
            if (!rival.put(&item) || !rival.take())
                std::abort();
        }
        report(state, seconds(CLOCK_MONOTONIC) - wall, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    }
}

// Takes until all items of all consumers have come.
template <typename Rival>
void
consume(Rival &rival, std::atomic<std::size_t> &left)
{
    std::size_t taken = 0;

    while (left.load(std::memory_order_relaxed) > taken) {
        if (rival.take()) {
            taken++;
            continue;
        }
        left.fetch_sub(taken, std::memory_order_relaxed);
        taken = 0;
        sched_yield();
    }
    left.fetch_sub(taken, std::memory_order_relaxed);
}

template <typename Rival>
void
BM_Transfer(benchmark::State &state)
{
    Rival rival;
    int item;

    for (auto _ : state) {
        std::atomic<std::size_t> left{items()};
        std::vector<std::thread> consumers;
        double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);

        for (int64_t i = 0; i < state.range(0); i++)
            consumers.emplace_back([&] { consume(rival, left); });
        for (std::size_t i = 0; i < items(); i++) {
            while (!rival.put(&item))
                sched_yield();
        }
        for (auto &consumer : consumers)
            consumer.join();
        report(state, seconds(CLOCK_MONOTONIC) - wall, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    }
}

BENCHMARK_TEMPLATE(BM_Pair, Ring)->UseManualTime()->Iterations(1);
BENCHMARK_TEMPLATE(BM_Pair, Mutex)->UseManualTime()->Iterations(1);
BENCHMARK_TEMPLATE(BM_Transfer, Ring)->Arg(1)->Arg(2)->UseManualTime()->Iterations(1);
BENCHMARK_TEMPLATE(BM_Transfer, Mutex)->Arg(1)->Arg(2)->UseManualTime()->Iterations(1);

} // namespace

BENCHMARK_MAIN();
