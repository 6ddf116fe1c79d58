package sim

// DefaultCentres returns a dozen centres on the scale of Guizhou's: large parks around the capital, smaller ones in the
// prefectures, every vendor of accelerators somewhere, about nine in ten of them domestic, farms for rendering, servers
// and supercomputers of processors alone. Names are directions, loads and equipment are made up.
func DefaultCentres() []Centre {
	return []Centre{
		{
			ID: "guian-north", Names: Names{"贵安北", "Guian North"}, Weight: 16, Night: 0.62, Day: 0.90,
			Groups: []Group{
				{"train-1", "ascend-910c", 67}, {"infer-1", "ascend-910b3", 24}, {"general", "kunpeng", 9},
			},
		},
		{
			ID: "guian-south", Names: Names{"贵安南", "Guian South"}, Weight: 14, Night: 0.55, Day: 0.86,
			Groups: []Group{
				{"train-1", "ascend-910c", 58},
				{"train-2", "ascend-910b2", 17},
				{"infer-1", "nvidia-h20", 17},
				{"infer-2", "t-head-ppu", 4},
				{"general", "kunpeng", 4},
			},
		},
		{
			ID: "guian-east", Names: Names{"贵安东", "Guian East"}, Weight: 11, Night: 0.50, Day: 0.82,
			Groups: []Group{
				{"train-1", "hygon-bw1000", 52},
				{"infer-1", "hygon-k100-ai", 24},
				{"infer-1", "ascend-910b1", 14},
				{"infer-2", "nvidia-a800", 7},
				{"infer-3", "enflame-s60", 3},
			},
		},
		{
			ID: "guian-west", Names: Names{"贵安西", "Guian West"}, Weight: 10, Night: 0.48, Day: 0.80,
			Groups: []Group{
				{"train-1", "ascend-910c", 61}, {"infer-1", "metax-c500", 23}, {"infer-2", "iluvatar-bi-v150", 12}, {"train-2", "metax-c550", 4},
			},
		},
		{
			ID: "guiyang-south", Names: Names{"贵阳南", "Guiyang South"}, Weight: 9, Night: 0.58, Day: 0.84,
			Groups: []Group{
				{"train-1", "ascend-910b1", 30}, {"train-2", "ascend-910c", 45}, {"infer-1", "ascend-910b3", 21}, {"hpc", "hygon-7390", 4},
			},
			Counted: map[string]Counting{"hpc": Super},
		},
		{
			ID: "guiyang-west", Names: Names{"贵阳西", "Guiyang West"}, Weight: 8, Night: 0.66, Day: 0.92,
			Groups: []Group{
				{"train-1", "nvidia-h800", 18},
				{"train-2", "ascend-910c", 39},
				{"infer-1", "nvidia-a800", 13},
				{"infer-1", "nvidia-a800-mig", 8},
				{"infer-2", "nvidia-l40s", 3},
				{"render", "nvidia-4090", 9},
				{"render", "nvidia-a6000", 3},
				{"render", "nvidia-6000-ada", 2},
				{"render-cpu", "epyc-9654", 5},
			},
			Counted: map[string]Counting{"render": Rendering},
		},
		{
			ID: "zunyi-east", Names: Names{"遵义东", "Zunyi East"}, Weight: 8, Night: 0.44, Day: 0.78,
			Groups: []Group{
				{"train-1", "ascend-910c", 63}, {"infer-1", "moorethreads-s4000", 16}, {"train-2", "moorethreads-s5000", 5}, {"infer-2", "cambricon-mlu590", 16},
			},
		},
		{
			ID: "bijie-west", Names: Names{"毕节西", "Bijie West"}, Weight: 6, Night: 0.42, Day: 0.74,
			Groups: []Group{
				{"train-1", "hygon-bw1000", 62}, {"infer-1", "ascend-910b4", 32}, {"infer-2", "enflame-t21", 6},
			},
		},
		{
			ID: "anshun-north", Names: Names{"安顺北", "Anshun North"}, Weight: 5, Night: 0.40, Day: 0.76,
			Groups: []Group{
				{"train-1", "ascend-910c", 82},
				{"infer-1", "cambricon-mlu370", 8},
				{"general", "hygon-7390", 5},
				{"general", "loongson-3c5000", 3},
				{"general", "zhaoxin-kh40000", 2},
			},
		},
		{
			ID: "liupanshui-south", Names: Names{"六盘水南", "Liupanshui South"}, Weight: 5, Night: 0.38, Day: 0.72,
			Groups: []Group{
				{"train-1", "ascend-910b2", 52}, {"train-2", "amd-mi300x", 12}, {"hpc", "amd-mi250", 4}, {"infer-1", "metax-c500", 32},
			},
			Counted: map[string]Counting{"hpc": Super},
		},
		{
			ID: "qiannan-north", Names: Names{"黔南北", "Qiannan North"}, Weight: 5, Night: 0.46, Day: 0.80,
			Groups: []Group{
				{"train-1", "ascend-910c", 67},
				{"infer-1", "kunlunxin-p800", 12},
				{"infer-2", "hygon-k100-ai", 13},
				{"infer-3", "kunlunxin-r300", 5},
				{"general", "phytium-s2500", 3},
			},
		},
		{
			ID: "tongren-west", Names: Names{"铜仁西", "Tongren West"}, Weight: 3, Night: 0.36, Day: 0.70,
			Groups: []Group{
				{"train-1", "ascend-910b3", 56},
				{"infer-1", "nvidia-h20", 22},
				{"train-2", "intel-gaudi-2", 5},
				{"hpc", "intel-max-1550", 3},
				{"general", "xeon-8480", 14},
			},
			Counted: map[string]Counting{"hpc": Super},
		},
	}
}
