/* bench_json.cc: what a task document costs to read and to write, and its times. */
#include <cstring>
#include <string>

#include <benchmark/benchmark.h>

#pragma GCC diagnostic push
/* pawl.h has a call and a struct of one name. */
#pragma GCC diagnostic ignored "-Wshadow"
#include "../http/json_read.h"
#include "../http/json_write.h"
#include "../http/timefmt.h"
#pragma GCC diagnostic pop

namespace
{

/* 137 bytes, as a client sends it. */
constexpr char SMALL[] =
    "{\"id\":\"nightly-report-000000000017\",\"taskType\":\"delay\",\"time\":60000000000,"
    "\"script\":\"/usr/local/bin/report --day yesterday >> report.log\"}";
constexpr int64_t NOW = 1791181800123456789;

std::string
with_script(const std::string &script)
{
    return "{\"id\":\"a\",\"taskType\":\"cron\",\"time\":\"1m30s\",\"script\":\"" +
           script + "\"}";
}

void
read_document(benchmark::State &state, const std::string &document)
{
    std::string text = document + std::string(PAWL_JSON_PADDING, ' ');
    pawl_json_reader *reader = nullptr;
    pawl_problem problem;
    pawl_spec spec;

    if (pawl_json_reader_new(&reader) != 0)
        return state.SkipWithError("out of memory");
    for (auto _ : state) {
        if (pawl_json_read_task(reader, text.data(), document.size(), text.size(), &spec,
                                &problem) != 0)
            state.SkipWithError(problem.detail);
        benchmark::DoNotOptimize(spec);
    }
    pawl_json_reader_free(reader);
    state.SetBytesProcessed(int64_t(state.iterations()) * int64_t(document.size()));
}

void
BM_read_small(benchmark::State &state)
{
    read_document(state, SMALL);
}

/* As a client sends back what it was answered. */
void
BM_read_answer(benchmark::State &state)
{
    read_document(state, "{\"ID\":\"a\",\"TaskType\":\"delay\",\"Time\":\"10s\","
                  "\"Script\":\"echo hi\","
                         "\"Results\":null,\"Status\":0,\"LastStatusUpdated\":\"\","
                         "\"Version\":0}");
}

void
BM_read_large_script(benchmark::State &state)
{
    read_document(state, with_script(std::string(1 << 20, 'x')));
}

/* The error path: both passes. */
void
BM_read_malformed(benchmark::State &state)
{
    std::string text = std::string(SMALL, sizeof SMALL - 2) + ",}", padded = text;
    pawl_json_reader *reader = nullptr;
    pawl_problem problem;
    pawl_spec spec;

    padded.append(PAWL_JSON_PADDING, ' ');
    if (pawl_json_reader_new(&reader) != 0)
        return state.SkipWithError("out of memory");
    for (auto _ : state)
        benchmark::DoNotOptimize(pawl_json_read_task(reader, padded.data(), text.size(),
                                                     padded.size(), &spec, &problem));
    pawl_json_reader_free(reader);
}

pawl_view
small_view()
{
    static const char id[] = "nightly-report-00017";
    static const char script[] = "/usr/local/bin/report --day today";
    pawl_view view = {};

    view.id = id;
    view.id_len = sizeof id - 1;
    view.script = script;
    view.script_len = sizeof script - 1;
    view.time_ns = 60000000000;
    view.keep_results = 10;
    view.created_ns = view.updated_ns = NOW;
    view.next_ns = NOW + view.time_ns;
    view.previous_ns = PAWL_NO_TIME;
    return view;
}

void
write_view(benchmark::State &state, const pawl_view &view)
{
    pawl_buffer buffer;

    pawl_buffer_init(&buffer);
    for (auto _ : state) {
        buffer.len = 0;
        pawl_json_write_task(&buffer, &view, SIZE_MAX);
        benchmark::DoNotOptimize(buffer.data);
        benchmark::ClobberMemory();
    }
    state.SetBytesProcessed(int64_t(state.iterations()) * int64_t(buffer.len));
    pawl_buffer_fini(&buffer);
}

void
BM_write_small(benchmark::State &state)
{
    write_view(state, small_view());
}

/* The same less the three times that it holds, to see what is theirs. */
void
BM_write_small_no_times(benchmark::State &state)
{
    pawl_view view = small_view();

    view.created_ns = view.updated_ns = view.next_ns = PAWL_NO_TIME;
    write_view(state, view);
}

void
BM_write_results(benchmark::State &state)
{
    static const char out[] = "a line of output\nand another \"one\"\n";
    pawl_result result = {};
    const pawl_result *results[10];
    pawl_view view = small_view();

    result.scheduled_ns = result.started_ns = result.ended_ns = NOW;
    result.out = out;
    result.out_len = sizeof out - 1;
    result.attempt = 1;
    for (auto &each : results)
        each = &result;
    view.results = results;
    view.nresults = 10;
    write_view(state, view);
}

void
write_text(benchmark::State &state, const std::string &text)
{
    pawl_buffer buffer;

    pawl_buffer_init(&buffer);
    for (auto _ : state) {
        buffer.len = 0;
        pawl_json_write_string(&buffer, text.data(), text.size());
        benchmark::ClobberMemory();
    }
    state.SetBytesProcessed(int64_t(state.iterations()) * int64_t(text.size()));
    pawl_buffer_fini(&buffer);
}

void
BM_write_64KiB_plain(benchmark::State &state)
{
    write_text(state, std::string(64 << 10, 'x'));
}

void
BM_write_64KiB_lines(benchmark::State &state)
{
    std::string text;

    while (text.size() < 64 << 10)
        text += "2026-10-05 08:30:00 INFO request handled in 12 ms\n";
    write_text(state, text);
}

void
BM_write_64KiB_not_ascii(benchmark::State &state)
{
    std::string text;

    while (text.size() < 64 << 10)
        text += "\xe6\x97\xa5";
    write_text(state, text);
}

void
BM_time_format(benchmark::State &state)
{
    char text[PAWL_TIME_MAX];
    int64_t when = NOW;

    for (auto _ : state) {
        benchmark::DoNotOptimize(pawl_time_format(when, text));
        benchmark::ClobberMemory();
        when += 1234567;
    }
}

} // namespace

BENCHMARK(BM_read_small);
BENCHMARK(BM_read_answer);
BENCHMARK(BM_read_large_script);
BENCHMARK(BM_read_malformed);
BENCHMARK(BM_write_small);
BENCHMARK(BM_write_small_no_times);
BENCHMARK(BM_write_results);
BENCHMARK(BM_write_64KiB_plain);
BENCHMARK(BM_write_64KiB_lines);
BENCHMARK(BM_write_64KiB_not_ascii);
BENCHMARK(BM_time_format);
BENCHMARK_MAIN();
