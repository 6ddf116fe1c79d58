package main

// pipeline is for those who run collectors and Kafka.
var pipeline = board{
	name: "pipeline", title: words{"Pipeline", "数据链路"}, from: "now-3h", refresh: "10s",
	about: words{"The way of records from Kafka into figures: lag, rates, what cannot be used, partials, collectors.", "记录从 Kafka 到数字的链路：积压、速率、无法使用的记录、分区汇总与汇集器。"},
	rows: []row{
		{panels: []panel{
			{
				kind: number, w: 4, h: 5, title: words{"Collectors ready", "就绪的汇集器"}, missing: words{"None is scraped", "没有抓取到任何汇集器"}, unit: count, levels: []level{{0, "red"}, {1, "orange"}, {2, "green"}}, about: words{"One is enough for figures; two survive the loss of one.", "一个即可给出数据；两个可容一个失效。"},
				queries: []query{{expr: `sum(exameter_ready)`}},
			},
			{
				kind: number, w: 4, h: 5, title: words{"Records waiting", "积压记录"}, missing: noFigures, unit: count, levels: []level{{0, "green"}, {1000, "orange"}, {10_000, "red"}}, about: words{"Not read yet, in all partitions.", "所有分区中尚未读取的记录。"},
				queries: []query{{expr: `sum(exameter_partition_lag_records)`}},
			},
			{
				kind: number, w: 4, h: 5, title: words{"Parts behind", "滞后分区"}, missing: noFigures, unit: count, levels: wantsZero, about: words{"Nobody publishes their sums at the moment.", "目前无人发布其汇总。"},
				queries: []query{{expr: `max(exameter_parts{state="behind"} and on (job, instance) exameter:reader)`}},
			},
			{
				kind: number, w: 4, h: 5, title: words{"Oldest part", "最旧分区"}, missing: noFigures, unit: seconds, decimals: 1, levels: []level{{0, "green"}, {3, "orange"}, {30, "red"}}, about: words{"Age of its sums.", "其汇总的时延。"},
				queries: []query{{expr: `max(exameter_parts_age_seconds and on (job, instance) exameter:reader)`}},
			},
			{
				kind: number, w: 4, h: 5, title: words{"Records refused within an hour", "一小时内拒收记录"}, missing: noFigures, unit: count, levels: wantsNone, about: words{"They are in the quarantine topic, with the reason.", "已存入隔离主题并注明原因。"},
				queries: []query{{expr: `ceil(sum(increase(exameter_records_total{result="rejected"}[1h])))`}},
			},
			{
				kind: number, w: 4, h: 5, title: words{"Recounts that differ", "核对不符"}, missing: noFigures, unit: count, levels: wantsZero, about: words{"Of this run of the collectors. One is a defect of Exameter.", "汇集器本次运行以来。出现即为 Exameter 的缺陷。"},
				queries: []query{{expr: `sum(exameter_self_checks_total{result="different"})`}},
			},
		}},
		{title: words{"Records", "记录"}, panels: []panel{
			{
				kind: lines, w: 12, h: 9, title: words{"Records read", "读取的记录"}, missing: noFigures, unit: perSec, decimals: 1, about: words{"By what became of them.", "按处理结果。"},
				queries: []query{{expr: `sum by (kind, result) (rate(exameter_records_total[$__rate_interval])) > 0`, legend: same("{{kind}} {{result}}")}},
			},
			{
				kind: lines, w: 12, h: 9, title: words{"Records waiting by topic", "各主题积压记录"}, missing: noFigures, unit: count, about: words{"Not read yet, as of the last fetch.", "截至上次读取尚未读取的记录。"},
				queries: []query{{expr: `sum by (topic) (exameter_partition_lag_records)`, legend: same("{{topic}}")}},
			},
			{
				kind: lines, w: 12, h: 8, title: words{"Refused, and what became of them", "拒收与隔离"}, missing: noFigures, unit: perSec, decimals: 2, about: words{"Refused by kind of topic; written to quarantine, held back, or lost.", "按主题种类的拒收；已写入隔离、被抑制或丢失。"},
				queries: []query{
					{expr: `sum by (kind) (rate(exameter_records_total{result="rejected"}[$__rate_interval]))`, legend: words{"refused, {{kind}}", "拒收 {{kind}}"}},
					{expr: `sum by (result) (rate(exameter_quarantine_records_total[$__rate_interval]))`, legend: words{"quarantine, {{result}}", "隔离 {{result}}"}},
				},
			},
			{
				kind: lines, w: 12, h: 8, title: words{"Trouble with Kafka", "Kafka 异常"}, missing: noFigures, unit: count, about: words{"Partitions that fail now, and sessions begun anew, stalls, lost offsets and corrupt batches within five minutes.", "当前失败的分区，以及五分钟内的重连、停滞、位点丢失与损坏批次。"},
				queries: []query{
					{expr: `sum(exameter_partitions_failing)`, legend: words{"failing", "失败"}},
					{expr: `sum(increase(exameter_reconnects_total[5m]))`, legend: words{"reconnects", "重连"}},
					{expr: `sum(increase(exameter_stalls_total[5m]))`, legend: words{"stalls", "停滞"}},
					{expr: `sum(increase(exameter_offsets_lost_total[5m]))`, legend: words{"offsets lost", "位点丢失"}},
					{expr: `sum(increase(exameter_corrupt_batches_total[5m]))`, legend: words{"corrupt batches", "损坏批次"}},
				},
			},
		}},
		{title: words{"Partials", "分区汇总"}, panels: []panel{
			{
				kind: lines, w: 8, h: 8, title: words{"Partials written", "写出的汇总"}, missing: noFigures, unit: perSec, decimals: 1, about: words{"By collector and result.", "按汇集器与结果。"},
				queries: []query{{expr: `sum by (instance, result) (rate(exameter_partials_published_total[$__rate_interval]))`, legend: same("{{instance}} {{result}}")}},
			},
			{
				kind: lines, w: 8, h: 8, title: words{"Partials read", "读取的汇总"}, missing: noFigures, unit: perSec, decimals: 1, about: words{"By result. Fenced: written by a collector that had been replaced.", "按结果。fenced：由已被替换的汇集器写出。"},
				queries: []query{{expr: `sum by (result) (rate(exameter_partials_total[$__rate_interval]))`, legend: same("{{result}}")}},
			},
			{
				kind: lines, w: 8, h: 8, title: words{"Parts", "分区"}, missing: noFigures, unit: count, about: words{"Owned by each collector, and behind.", "各汇集器所负责的，以及滞后的。"},
				queries: []query{
					{expr: `sum by (instance) (exameter_parts_owned)`, legend: same("{{instance}}")},
					{expr: `max(exameter_parts{state="behind"})`, legend: words{"behind", "滞后"}},
				},
			},
		}},
		{title: words{"Collectors", "汇集器"}, panels: []panel{
			{
				kind: table, w: 24, h: 7, title: words{"Collectors", "汇集器"}, missing: words{"None is scraped", "没有抓取到任何汇集器"}, about: words{"Those that are scraped.", "已抓取的汇集器。"},
				queries: []query{
					{expr: `sum by (instance, version) (exameter_build_info)`},
					{expr: `sum by (instance) (exameter_ready)`},
					{expr: `sum by (instance) (exameter_revision)`},
					{expr: `sum by (instance) (time() - exameter_as_of_timestamp_seconds)`},
					{expr: `sum by (instance) (exameter_parts_owned)`},
					{expr: `sum by (instance) (exameter_feed_writer)`},
					{expr: `sum by (instance) (process_resident_memory_bytes and on (job, instance) exameter_build_info)`},
				},
				columns: []column{
					{name: "instance", title: words{"Collector", "汇集器"}},
					{name: "version", title: words{"Version", "版本"}},
					{name: "Value #B", title: words{"Ready", "就绪"}, levels: []level{{0, "red"}, {1, "green"}}, unit: count},
					{name: "Value #C", title: words{"Revision", "修订号"}, unit: "none"},
					{name: "Value #D", title: words{"Figures as of", "数据截至"}, unit: seconds, levels: wantsFresh},
					{name: "Value #E", title: words{"Parts", "分区"}, unit: count},
					{name: "Value #F", title: words{"Writes the feed", "写出数据流"}, unit: count},
					{name: "Value #G", title: words{"Memory", "内存"}, unit: memory},
				},
			},
			{
				kind: lines, w: 8, h: 8, title: words{"Time to fold a part", "汇总一个分区的时间"}, missing: noFigures, unit: seconds, decimals: 4, about: words{"The slowest in a hundred.", "最慢的百分之一。"},
				queries: []query{{expr: `histogram_quantile(0.99, sum by (le) (rate(exameter_fold_seconds_bucket[$__rate_interval])))`, legend: same("p99")}},
			},
			{
				kind: lines, w: 8, h: 8, title: words{"Processor and memory", "处理器与内存"}, missing: noFigures, unit: count, decimals: 2, about: words{"Cores, and GiB.", "核数与 GiB。"},
				queries: []query{
					{expr: `sum by (instance) (rate(process_cpu_seconds_total[$__rate_interval]) and on (job, instance) exameter_build_info)`, legend: words{"{{instance}} cores", "{{instance}} 核"}},
					{expr: `sum by (instance) (process_resident_memory_bytes and on (job, instance) exameter_build_info) / 1073741824`, legend: same("{{instance}} GiB")},
				},
			},
			{
				kind: lines, w: 8, h: 8, title: words{"HTTP requests", "HTTP 请求"}, missing: noFigures, unit: perSec, decimals: 1, about: words{"By path and status.", "按路径与状态码。"},
				queries: []query{{expr: `sum by (path, code) (rate(exameter_http_requests_total[$__rate_interval]))`, legend: same("{{path}} {{code}}")}},
			},
			{
				kind: lines, w: 8, h: 8, title: words{"Streams", "订阅流"}, missing: noFigures, unit: count, about: words{"Watchers of /v1/stream, and different questions that they ask.", "/v1/stream 的订阅者，及其不同的查询。"},
				queries: []query{
					{expr: `sum(exameter_stream_watchers)`, legend: words{"watchers", "订阅者"}},
					{expr: `sum(exameter_stream_queries)`, legend: words{"questions", "查询"}},
				},
			},
			{
				kind: lines, w: 8, h: 8, title: words{"Feed and database", "数据流与数据库"}, missing: noFigures, unit: perSec, decimals: 2, about: words{"Records of the capacity topic, and figures for a database, by result.", "算力主题的记录与写入数据库的数字，按结果。"},
				queries: []query{
					{expr: `sum by (result) (rate(exameter_feed_records_total[$__rate_interval]))`, legend: words{"feed, {{result}}", "数据流 {{result}}"}},
					{expr: `sum by (result) (rate(exameter_write_figures_total[$__rate_interval]))`, legend: words{"database, {{result}}", "数据库 {{result}}"}},
				},
			},
			{
				kind: lines, w: 8, h: 8, title: words{"Self-checks and peers", "自检与互查"}, missing: noFigures, unit: count, decimals: 1, about: words{"Recounts, and questions to other collectors, within five minutes by result.", "五分钟内的核对与对其他汇集器的查询，按结果。"},
				queries: []query{
					{expr: `sum by (result) (increase(exameter_self_checks_total[5m]))`, legend: words{"recounts, {{result}}", "核对 {{result}}"}},
					{expr: `sum by (result) (increase(exameter_peer_questions_total[5m]))`, legend: words{"peers, {{result}}", "互查 {{result}}"}},
				},
			},
		}},
	},
}
