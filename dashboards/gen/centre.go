package main

var centreChoice = variable{name: "centre", label: "centre", metric: "exameter:hosts", title: words{"Centre", "算力中心"}}

// centreEflops is the sum of one state of the chosen centres.
func centreEflops(state string, title words) panel {
	return panel{
		kind: number, w: 6, h: 5, title: title, missing: noFigures, unit: eflops, decimals: 3, about: words{"Of the chosen centres.", "所选算力中心之和。"},
		queries: []query{{expr: `sum(exameter:centre_flops{` + in("centre") + `,state="` + state + `"}) / 1e18`}},
	}
}

// centre is for those who run one, and for those who ask them.
var centre = board{
	name: "centre", title: words{"Centre", "算力中心"}, from: "now-24h", refresh: "10s", variables: []variable{centreChoice},
	about: words{"What one centre, or some together, have and declared, how it is used, and what is wrong.", "一个或若干算力中心的现有与申报算力、使用情况以及问题。"},
	rows: []row{
		{panels: []panel{
			centreEflops("rated", words{"Rated", "额定算力"}), centreEflops("online", words{"Online", "在线算力"}),
			centreEflops("healthy", words{"Healthy", "可用算力"}), centreEflops("free", words{"Free", "空闲算力"}),
			{
				kind: number, w: 6, h: 5, title: words{"Coverage", "数据覆盖率"}, missing: noFigures, unit: share, decimals: 1, levels: wantsAll, about: words{"Hosts that report, of those in inventory.", "正在上报的主机占在册主机之比。"},
				queries: []query{{expr: ratio(`sum(exameter:hosts{`+in("centre")+`,state="online"})`, `sum(exameter:hosts{`+in("centre")+`,state="rated"})`)}},
			},
			{
				kind: number, w: 6, h: 5, title: words{"Oldest report", "最旧数据时延"}, missing: noFigures, unit: seconds, decimals: 1, levels: wantsFresh, about: words{"Age of the oldest report that counts as online.", "计入在线的最旧一次上报的时延。"},
				queries: []query{{expr: `max(exameter:report_age_seconds{` + in("centre") + `,percentile="max"})`}},
			},
			{
				kind: number, w: 6, h: 5, title: words{"Declared", "申报算力"}, missing: words{"Unknown: nothing is declared", "未知：没有申报"}, unit: eflops, decimals: 3,
				about:   words{"By the declarations in force, each at the precision that it names.", "当前有效的申报，按各自申报的精度。"},
				queries: []query{{expr: `sum(exameter:centre_declared_flops{` + in("centre") + `}) / 1e18`}},
			},
			{
				kind: number, w: 6, h: 5, title: words{"Rated, of what is declared", "额定占申报"}, missing: words{"Unknown: nothing is declared", "未知：没有申报"}, unit: share, decimals: 1,
				levels:  []level{{0, "red"}, {0.9, "orange"}, {0.98, "green"}},
				about:   words{"What is there of what was said, at the same precision, accelerators alone, of the centres that declared something.", "按同一精度、仅计加速卡，已申报的中心实际额定算力与申报之比。"},
				queries: []query{{expr: ratio(`sum(exameter:centre_declared_rated_flops{`+in("centre")+`})`, `sum(exameter:centre_declared_flops{`+in("centre")+`})`)}},
			},
		}},
		{title: words{"How it went", "变化"}, panels: []panel{
			{
				kind: lines, w: 12, h: 9, title: words{"Eflops by state", "各状态算力"}, missing: noFigures, unit: eflops, decimals: 3, about: words{"A gap is a time of which nothing is known.", "中断处为没有数据的时段。"},
				queries: states("exameter:centre_flops", in("centre")+","),
			},
			{
				kind: lines, w: 12, h: 9, title: words{"Devices by state", "各状态设备数"}, missing: noFigures, unit: count, stacked: true, about: words{"Every device stands in one state; processors of a host are one device.", "每个设备处于一种状态；一台主机的处理器计为一个设备。"},
				queries: []query{{expr: `sum by (state) (exameter:devices{` + in("centre") + `,state=~"busy|free|drained|faulty|stale"})`, legend: same("{{state}}")}},
			},
			{
				kind: lines, w: 8, h: 8, title: words{"Utilisation", "利用率"}, missing: noUse, unit: share, decimals: 0, most: 1, about: words{"Busy-weighted nameplate of accelerators.", "加速卡按峰值加权的活跃度。"},
				queries: []query{{expr: `exameter:centre_utilisation_ratio{` + in("centre") + `,class="intelligent"}`, legend: same("{{centre}}")}},
			},
			{
				kind: lines, w: 8, h: 8, title: words{"Power", "功率"}, missing: noPower, unit: watts, decimals: 2, about: words{"Measured power of online devices.", "在线设备的实测功率。"},
				queries: []query{{expr: `sum by (centre) (exameter:centre_power_watts{` + in("centre") + `})`, legend: same("{{centre}}")}},
			},
			{
				kind: lines, w: 8, h: 8, title: words{"Peak for each watt", "每瓦峰值算力"}, missing: noPower, unit: gflopsW, decimals: 1, about: words{"Peak of the accelerators whose power is measured, for each watt that they draw.", "有功率实测值的加速卡，其峰值算力与功率之比。"},
				queries: []query{{expr: `exameter:centre_flops_per_watt{` + in("centre") + `,class="intelligent"} / 1e9`, legend: same("{{centre}}")}},
			},
		}},
		{title: words{"What is wrong", "问题"}, panels: []panel{
			{
				kind: lines, w: 12, h: 8, title: words{"Coverage", "数据覆盖率"}, missing: noFigures, unit: share, decimals: 1, most: 1, about: words{"Hosts that report, of those in inventory.", "正在上报的主机占在册主机之比。"},
				queries: []query{{expr: `exameter:centre_coverage_ratio{` + in("centre") + `}`, legend: same("{{centre}}")}},
			},
			{
				kind: bars, w: 12, h: 8, title: words{"Faulty devices by reason", "故障设备（按原因）"}, missing: words{"No device is faulty", "没有故障设备"}, unit: count, about: words{"Of hosts that report. docs/states.md explains the reasons.", "仅计正在上报的主机。原因见 docs/states.md。"},
				queries: []query{{expr: `sum by (reason) (exameter:centre_faulty_devices{` + in("centre") + `})`, legend: same("{{reason}}")}},
			},
		}},
		{title: words{"Pools", "资源池"}, panels: []panel{poolTable(in("centre"))}},
	},
}
