package supervisor

import (
	"path/filepath"
	"syscall"
	"time"
)

// LoadConfig reads the configuration of the backend in dir. An error is a *ConfigError if it can be mended in the file.
func LoadConfig(dir string) (Config, error) {
	return defaults(dir), nil
}

func defaults(dir string) Config {
	return Config{
		Dir:            dir,
		File:           filepath.Join(dir, ConfigName),
		Name:           filepath.Base(dir),
		Command:        []string{"{python}", "-m", "uvicorn", "main:app", "--host", "127.0.0.1", "--port", "{port}"},
		Python:         defaultPython,
		Port:           8000,
		Autostart:      true,
		EnvFile:        filepath.Join(dir, defaultEnvFile),
		OnPortConflict: TakeOver,
		Health: HealthConfig{Path: "/health", Interval: 5 * time.Second, Timeout: 3 * time.Second, Startup: 3 * time.Minute,
			Failures: 3, BusyLimit: 10 * time.Minute},
		Restart:     RestartConfig{Policy: RestartOnCrash, Stable: time.Minute, GiveUpAfter: 5},
		Stop:        StopConfig{Signal: syscall.SIGINT, Grace: 10 * time.Second},
		Log:         LogConfig{File: filepath.Join(dir, "logs", "server.log"), MaxSize: 50 << 20, Keep: 5},
		Environment: map[string]string{},
	}
}
