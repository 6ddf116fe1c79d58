package sim

// DefaultCentres returns a dozen centres on the scale of Guizhou's: large parks around the capital, smaller ones in the
// prefectures, about nine in ten accelerators domestic. Names are directions, loads and equipment are made up.
func DefaultCentres() []Centre {
	return []Centre{
		{"guian-north", Names{"贵安北", "Guian North"}, 16, 0.62, 0.90, []Group{
			{"train-1", "ascend-910c", 68}, {"infer-1", "ascend-910b3", 24}, {"general", "kunpeng", 8},
		}},
		{"guian-south", Names{"贵安南", "Guian South"}, 14, 0.55, 0.86, []Group{
			{"train-1", "ascend-910c", 55}, {"train-2", "ascend-910b2", 20}, {"infer-1", "nvidia-h20", 20}, {"general", "kunpeng", 5},
		}},
		{"guian-east", Names{"贵安东", "Guian East"}, 11, 0.50, 0.82, []Group{
			{"train-1", "hygon-bw1000", 50}, {"infer-1", "hygon-k100-ai", 26}, {"infer-1", "ascend-910b1", 14}, {"infer-2", "nvidia-a800", 10},
		}},
		{"guian-west", Names{"贵安西", "Guian West"}, 10, 0.48, 0.80, []Group{
			{"train-1", "ascend-910c", 60}, {"infer-1", "metax-c500", 25}, {"infer-2", "iluvatar-bi-v150", 15},
		}},
		{"guiyang-south", Names{"贵阳南", "Guiyang South"}, 9, 0.58, 0.84, []Group{
			{"train-1", "ascend-910b1", 35}, {"train-2", "ascend-910c", 40}, {"infer-1", "ascend-910b3", 25},
		}},
		{"guiyang-west", Names{"贵阳西", "Guiyang West"}, 8, 0.66, 0.92, []Group{
			{"train-1", "nvidia-h800", 18},
			{"train-2", "ascend-910c", 36},
			{"infer-1", "nvidia-a800", 20},
			{"infer-1", "nvidia-a800-mig", 10},
			{"render", "nvidia-4090", 16},
		}},
		{"zunyi-east", Names{"遵义东", "Zunyi East"}, 8, 0.44, 0.78, []Group{
			{"train-1", "ascend-910c", 62}, {"infer-1", "moorethreads-s4000", 20}, {"infer-2", "cambricon-mlu590", 18},
		}},
		{"bijie-west", Names{"毕节西", "Bijie West"}, 6, 0.42, 0.74, []Group{
			{"train-1", "hygon-bw1000", 60}, {"infer-1", "ascend-910b4", 40},
		}},
		{"anshun-north", Names{"安顺北", "Anshun North"}, 5, 0.40, 0.76, []Group{
			{"train-1", "ascend-910c", 80}, {"infer-1", "cambricon-mlu370", 10}, {"general", "hygon-7390", 10},
		}},
		{"liupanshui-south", Names{"六盘水南", "Liupanshui South"}, 5, 0.38, 0.72, []Group{
			{"train-1", "ascend-910b2", 48}, {"train-2", "amd-mi300x", 14}, {"infer-1", "metax-c500", 38},
		}},
		{"qiannan-north", Names{"黔南北", "Qiannan North"}, 5, 0.46, 0.80, []Group{
			{"train-1", "ascend-910c", 62}, {"infer-1", "kunlunxin-p800", 18}, {"infer-2", "hygon-k100-ai", 20},
		}},
		{"tongren-west", Names{"铜仁西", "Tongren West"}, 3, 0.36, 0.70, []Group{
			{"train-1", "ascend-910b3", 52}, {"infer-1", "nvidia-h20", 30}, {"general", "xeon-8480", 18},
		}},
	}
}
