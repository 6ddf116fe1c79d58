package main

// bad is a number of something that should not be.
func bad(w int, title, about words, expr string) panel {
	return panel{kind: number, w: w, h: 5, title: title, about: about, missing: noFigures, unit: count, levels: wantsNone, queries: []query{{expr: expr}}}
}

// health is for those who repair: what is faulty, silent, or not measured.
var health = board{
	name: "health", title: words{"Fleet health", "设备健康"}, from: "now-24h", refresh: "30s", variables: []variable{centreChoice},
	about: words{"What is faulty, taken out, silent, or not measured. Single hosts: exameter hosts --state faulty,stale.", "故障、停用、失联以及未测量的部分。单台主机：exameter hosts --state faulty,stale。"},
	rows: []row{
		{panels: []panel{
			{
				kind: number, w: 6, h: 5, title: words{"Faulty", "故障率"}, missing: noFigures, unit: share, decimals: 2, levels: wantsFaults, about: words{"Faulty devices, of those online.", "故障设备占在线设备之比。"},
				queries: []query{{expr: ratio(`sum(exameter:devices{`+in("centre")+`,state="faulty"})`, `sum(exameter:devices{`+in("centre")+`,state="online"})`)}},
			},
			bad(6, words{"Drained devices", "停用设备"}, words{"Taken out by operators or schedulers.", "由运维或调度停用。"}, `sum(exameter:devices{`+in("centre")+`,state="drained"})`),
			bad(6, words{"Silent hosts", "失联主机"}, words{"In inventory, and not heard of for longer than stale_after.", "在册但超过 stale_after 没有上报。"}, `sum(exameter:hosts{`+in("centre")+`,state="rated"}) - sum(exameter:hosts{`+in("centre")+`,state="online"})`),
			bad(6, words{"XID errors within an hour", "一小时内 XID 错误"}, words{"NVIDIA drivers' error reports, as agents counted them.", "采集器统计的 NVIDIA 驱动错误报告。"}, `ceil(sum(increase(exameter_agent_xid_errors_total{`+in("centre")+`}[1h])))`),
		}},
		{title: words{"Faults", "故障"}, panels: []panel{
			{
				kind: bars, w: 8, h: 10, title: words{"Faulty devices by reason", "故障设备（按原因）"}, missing: words{"No device is faulty", "没有故障设备"}, unit: count, about: words{"Of hosts that report. docs/states.md explains the reasons.", "仅计正在上报的主机。原因见 docs/states.md。"},
				queries: []query{{expr: `sum by (reason) (exameter:centre_faulty_devices{` + in("centre") + `})`, legend: same("{{reason}}")}},
			},
			{
				kind: lines, w: 8, h: 10, title: words{"Faulty devices", "故障设备"}, missing: words{"No device is faulty", "没有故障设备"}, unit: count, stacked: true, about: words{"By reason.", "按原因。"},
				queries: []query{{expr: `sum by (reason) (exameter:centre_faulty_devices{` + in("centre") + `})`, legend: same("{{reason}}")}},
			},
			{
				kind: lines, w: 8, h: 10, title: words{"XID errors", "XID 错误"}, missing: noFigures, unit: perSec, decimals: 3, about: words{"A second, by centre.", "每秒，按算力中心。"},
				queries: []query{{expr: `sum by (centre) (rate(exameter_agent_xid_errors_total{` + in("centre") + `}[$__rate_interval]))`, legend: same("{{centre}}")}},
			},
			{
				kind: lines, w: 12, h: 8, title: words{"Faulty share by centre", "各中心故障率"}, missing: noFigures, unit: share, decimals: 2, about: words{"Faulty devices, of those online.", "故障设备占在线设备之比。"},
				queries: []query{{expr: `exameter:centre_faulty_ratio{` + in("centre") + `}`, legend: same("{{centre}}")}},
			},
			{
				kind: lines, w: 12, h: 8, title: words{"Silent hosts by centre", "各中心失联主机"}, missing: noFigures, unit: count, about: words{"In inventory, and not heard of.", "在册但没有上报。"},
				queries: []query{{expr: `sum by (centre) (exameter:hosts{` + in("centre") + `,state="rated"}) - sum by (centre) (exameter:hosts{` + in("centre") + `,state="online"})`, legend: same("{{centre}}")}},
			},
		}},
		{title: words{"Agents", "采集器"}, panels: []panel{
			bad(6, words{"Records waiting in agents", "采集器待发记录"}, words{"As their last reports say. It grows while Kafka cannot be reached.", "以最近一次上报为准。无法连接 Kafka 时增长。"}, `sum(exameter_agent_queued_records{`+in("centre")+`})`),
			bad(6, words{"Records dropped within an hour", "一小时内丢弃记录"}, words{"By agents that had no room for them or held them too long, or whose disk lost them.", "采集器因空间不足、过期或磁盘丢失而丢弃。"}, `ceil(sum(increase(exameter_agent_dropped_records_total{`+in("centre")+`}[1h])))`),
			bad(6, words{"Hosts with a source that fails", "有读取失败的主机"}, words{"Something of them is not measured; exameter-agent check says what.", "有内容未能测量；用 exameter-agent check 查明。"}, `sum(exameter_hosts_source_failing{`+in("centre")+`})`),
			bad(6, words{"Hosts with a wrong clock", "时钟错误的主机"}, words{"More than a minute from the broker's.", "与 Kafka 节点相差超过一分钟。"}, `sum(exameter_hosts_skewed{`+in("centre")+`})`),
			{
				kind: lines, w: 12, h: 8, title: words{"Records waiting and dropped", "待发与丢弃记录"}, missing: noFigures, unit: count, about: words{"Waiting in agents, and dropped by them a minute.", "采集器中待发的记录，以及每分钟丢弃的记录。"},
				queries: []query{
					{expr: `sum(exameter_agent_queued_records{` + in("centre") + `})`, legend: words{"waiting", "待发"}},
					{expr: `60 * sum(rate(exameter_agent_dropped_records_total{` + in("centre") + `}[$__rate_interval]))`, legend: words{"dropped a minute", "每分钟丢弃"}},
				},
			},
			{
				kind: lines, w: 12, h: 8, title: words{"Age of reports", "数据时延"}, missing: noFigures, unit: seconds, decimals: 1, about: words{"The oldest that counts as online, by centre.", "各中心计入在线的最旧上报。"},
				queries: []query{{expr: `max by (centre) (exameter:report_age_seconds{` + in("centre") + `,percentile="max"})`, legend: same("{{centre}}")}},
			},
		}},
		{title: words{"Not counted, or only once", "未计入，或只计一次"}, panels: []panel{
			bad(6, words{"Hosts without inventory", "无清单的主机"}, words{"They report, and nobody knows yet what they have.", "正在上报，但尚不知其设备。"}, `sum(exameter_hosts_uninventoried)`),
			bad(6, words{"Devices without inventory", "无清单的设备"}, words{"Reported, and in no inventory.", "已上报，但不在清单中。"}, `sum(exameter_devices_uninventoried)`),
			bad(6, words{"Contested devices", "有争议的设备"}, words{"Claimed by several hosts; each counts once.", "多台主机声称拥有；只计一次。"}, `sum(exameter_devices_contested) + on () max(exameter_claims{parts="several"} and on (job, instance) exameter:reader)`),
			bad(6, words{"Hosts unsettled", "待裁定的主机"}, words{"With devices that count nowhere yet.", "有设备尚未计入。"}, `sum(exameter_hosts_unsettled)`),
		}},
	},
}
