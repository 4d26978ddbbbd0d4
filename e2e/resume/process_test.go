package resume

const partVariable = "NETASYNC_RESUME_PART"

func play(string) int { return 0 }
