package main

var (
	noPools = words{"Unknown: no collector tells fresh pools", "未知：没有汇集器给出最新的资源池数据"}

	vendorChoice = variable{name: "vendor", label: "vendor", metric: "exameter:pool_devices", title: words{"Vendor", "厂商"}}
	kindChoice   = variable{name: "kind", label: "kind", metric: "exameter:pool_devices", title: words{"Kind", "类型"}, first: "accelerator"}
	modelChoice  = variable{name: "model", label: "model", metric: "exameter:pool_devices", title: words{"Model", "型号"}}
)

// chosen is what the variables of the dashboard of pools select.
func chosen() string { return in("kind", "centre", "vendor", "model") }

// poolTable lists pools.
func poolTable(matchers string) panel {
	by := func(expr string) query {
		return query{expr: `sum by (centre, cluster, kind, vendor, model, domestic) (` + expr + `)`}
	}
	return panel{
		kind: table, w: 24, h: 14, title: words{"Pools", "资源池"}, missing: noPools,
		about: words{"What work is sent to: the devices of one model in one cluster. Gangs of 8 are free on one host each. An empty cell is unknown.", "任务的去处：同一集群中同一型号的设备。8 卡组指同一台主机上空闲的 8 个设备。空格为未知。"},
		queries: []query{
			by(`exameter:pool_devices{` + matchers + `,state="rated"}`),
			by(`exameter:pool_devices{` + matchers + `,state="online"}`),
			by(`exameter:pool_devices{` + matchers + `,state="free"}`),
			by(`exameter:free_gangs{` + matchers + `,size="8"}`),
			by(`exameter:pool_flops{` + matchers + `,state="rated"} / 1e18`),
			by(`exameter:pool_flops{` + matchers + `,state="free"} / 1e18`),
			{expr: `max by (centre, cluster, kind, vendor, model, domestic) (exameter_pool_report_age_seconds{` + matchers + `} and on (job, instance) exameter:pools_reader)`},
		},
		columns: []column{
			{name: "centre", title: words{"Centre", "算力中心"}},
			{name: "cluster", title: words{"Cluster", "集群"}},
			{name: "kind", title: words{"Kind", "类型"}},
			{name: "vendor", title: words{"Vendor", "厂商"}},
			{name: "model", title: words{"Model", "型号"}},
			{name: "domestic", title: words{"Domestic", "国产"}},
			{name: "Value #A", title: words{"Devices", "设备数"}, unit: count},
			{name: "Value #B", title: words{"Online", "在线"}, unit: count},
			{name: "Value #C", title: words{"Free", "空闲"}, unit: count},
			{name: "Value #D", title: words{"Gangs of 8", "8 卡组"}, unit: count},
			{name: "Value #E", title: words{"Rated", "额定"}, unit: eflops},
			{name: "Value #F", title: words{"Free Eflops", "空闲算力"}, unit: eflops},
			{name: "Value #G", title: words{"Oldest report", "最旧数据时延"}, unit: seconds, levels: wantsFresh},
		},
	}
}

// pools is for dispatchers: what is free where, and of what model.
var pools = board{
	name: "pools", title: words{"Pools and models", "资源池与型号"}, from: "now-6h", refresh: "10s", variables: []variable{kindChoice, centreChoice, vendorChoice, modelChoice},
	about: words{"What is free, of which model, and where. A dispatcher asks /v1/match before it sends work.", "空闲的是什么型号、在哪里。调度在派发任务之前应查询 /v1/match。"},
	rows: []row{
		{panels: []panel{
			{
				kind: number, w: 6, h: 5, title: words{"Free devices", "空闲设备"}, missing: noPools, unit: count, about: words{"Healthy and without work.", "可用且没有任务。"},
				queries: []query{{expr: `sum(exameter:free_devices{` + chosen() + `})`}},
			},
			{
				kind: number, w: 6, h: 5, title: words{"Free gangs of 8", "空闲 8 卡组"}, missing: noPools, unit: count, about: words{"Groups of eight devices that are free on one host each; never too high.", "同一台主机上空闲的 8 个设备为一组；不会高估。"},
				queries: []query{{expr: `sum(exameter:free_gangs{` + chosen() + `,size="8"})`}},
			},
			{
				kind: number, w: 6, h: 5, title: words{"Free Eflops", "空闲算力"}, missing: noPools, unit: eflops, decimals: 3, about: words{"Of models with a price.", "仅计峰值已知的型号。"},
				queries: []query{{expr: `sum(exameter:pool_flops{` + chosen() + `,state="free"}) / 1e18`}},
			},
			{
				kind: number, w: 6, h: 5, title: words{"Allocated devices", "设备分配率"}, missing: noPools, unit: share, decimals: 1, about: words{"Busy devices, of the healthy ones.", "占用设备占可用设备之比。"},
				queries: []query{{expr: ratio(`sum(exameter:pool_devices{`+chosen()+`,state="busy"})`, `sum(exameter:pool_devices{`+chosen()+`,state="healthy"})`)}},
			},
		}},
		{panels: []panel{
			{
				kind: bars, w: 12, h: 12, title: words{"Rated by model", "各型号额定算力"}, missing: noPools, unit: eflops, decimals: 3, about: words{"The twenty with the most.", "最多的二十个型号。"},
				queries: []query{{expr: `topk(20, sum by (model) (exameter:pool_flops{` + chosen() + `,state="rated"})) / 1e18`, legend: same("{{model}}")}},
			},
			{
				kind: bars, w: 12, h: 12, title: words{"Free devices by model", "各型号空闲设备"}, missing: noPools, unit: count, about: words{"The twenty with the most.", "最多的二十个型号。"},
				queries: []query{{expr: `topk(20, sum by (model) (exameter:free_devices{` + chosen() + `}))`, legend: same("{{model}}")}},
			},
			{
				kind: lines, w: 12, h: 9, title: words{"Free devices by vendor", "各厂商空闲设备"}, missing: noPools, unit: count, about: words{"A gap is a time of which nothing is known.", "中断处为没有数据的时段。"},
				queries: []query{{expr: `sum by (vendor) (exameter:free_devices{` + chosen() + `})`, legend: same("{{vendor}}")}},
			},
			{
				kind: lines, w: 12, h: 9, title: words{"Free gangs of 8 by centre", "各中心空闲 8 卡组"}, missing: noPools, unit: count, about: words{"Groups of eight devices that are free on one host each.", "同一台主机上空闲的 8 个设备为一组。"},
				queries: []query{{expr: `sum by (centre) (exameter:free_gangs{` + chosen() + `,size="8"})`, legend: same("{{centre}}")}},
			},
		}},
		{title: words{"Pools", "资源池"}, panels: []panel{poolTable(chosen())}},
		{title: words{"What is missing", "缺失"}, panels: []panel{
			{
				kind: table, w: 18, h: 8, title: words{"Models without a price", "峰值未知的型号"}, missing: words{"Every model has a price", "所有型号的峰值均已知"},
				about: words{"Devices whose model has no peak in the catalogue, by the name that the vendor's tool prints. exameter catalog --unpriced tells more.", "目录中没有其峰值的型号，按厂商工具给出的名称。详见 exameter catalog --unpriced。"},
				queries: []query{
					{expr: `max by (vendor, model, class) (exameter_model_devices_unpriced and on (job, instance) exameter:reader)`},
					{expr: `sum by (vendor, model, class) (exameter:pool_devices{state="free"} and on (vendor, model, class) (exameter_model_devices_unpriced and on (job, instance) exameter:reader))`},
				},
				columns: []column{
					{name: "vendor", title: words{"Vendor", "厂商"}},
					{name: "model", title: words{"Model", "型号"}},
					{name: "class", title: words{"Class", "类别"}},
					{name: "Value #A", title: words{"Devices", "设备数"}, unit: count},
					{name: "Value #B", title: words{"Free", "空闲"}, unit: count},
				},
			},
			{
				kind: number, w: 6, h: 8, title: words{"Pools not listed", "未列出的资源池"}, missing: noPools, unit: count, levels: wantsZero, about: words{"Beyond the 1,000 with the most devices pools have no series here; they are in every sum of the province.", "设备最多的 1000 个之外的资源池不在此处，但计入全省总和。"},
				queries: []query{{expr: `sum(exameter_pools_unlisted and on (job, instance) exameter:reader)`}},
			},
		}},
	},
}
