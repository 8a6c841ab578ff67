package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/vivarium-app/vivarium/app/dashboard"
	"github.com/vivarium-app/vivarium/app/dashboard/source"
	"github.com/vivarium-app/vivarium/app/desktop"
	"github.com/vivarium-app/vivarium/app/words"
	"github.com/vivarium-app/vivarium/supervisor/keeper"
)

const (
	dashboardTime = 20 * time.Second // for a dashboard to be served
	endingTime    = 5 * time.Second  // for one that ends to be gone
)

func dashboardCommand(c console) *cobra.Command {
	var onlyPrint bool
	cmd := &cobra.Command{
		Use: "dashboard [NAME|DIR]", Short: "Show every backend in the browser: state, log, deaths, and what to do", Args: atMostOne("backend"),
		Long: "Opens the dashboard in the browser: how every backend is, its log as it grows, its deaths, its doctor. It is served to you\n" +
			"alone, on a port of 127.0.0.1, by one process that ends a minute after its last page is closed. With --print its address,\n" +
			"which holds a secret, is printed instead, and this command serves it until then.",
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := openHome()
			if err != nil {
				return err
			}
			dir := ""
			if len(args) > 0 {
				if dir, err = h.resolve(cmd.Context(), args[0]); err != nil {
					return err
				}
			}
			if onlyPrint {
				ctx, cancel := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
				defer cancel()
				return h.serveDashboard(ctx, dir, func(url string) error {
					_, err := fmt.Fprintln(c.out, url)
					return err
				})
			}
			page, err := h.dashboardPage(cmd.Context(), dir)
			if err != nil {
				return err
			}
			if err := (desktop.Opener{}).Page(page); err != nil {
				return fmt.Errorf("%w; “vivarium dashboard --print” prints the address", err)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&onlyPrint, "print", false, "print the address and open no browser")
	return cmd
}

// serveDashboard tells the address, and serves until ctx ends or no page is left. Where a dashboard is served already, its address is told.
func (h home) serveDashboard(ctx context.Context, dir string, tell func(url string) error) error {
	from := source.New(h.state, h.known, desktop.Opener{}, pageWords()).Sources()
	from.Asked(dir)
	deadline := time.Now().Add(endingTime)
	for {
		serving, stop := context.WithCancel(ctx)
		var told error
		err := dashboard.Run(serving, h.state, from, func(s *dashboard.Server) {
			if told = tell(s.URL(dir)); told != nil { // nobody will ever come
				stop()
			}
		})
		stop()
		if !errors.Is(err, keeper.ErrLocked) {
			return errors.Join(err, told)
		}
		url, err := dashboard.Find(ctx, h.state, dir)
		if err == nil {
			return tell(url)
		}
		if !errors.Is(err, dashboard.ErrNone) || time.Now().After(deadline) {
			return err
		}
		select { // it is on its way in or out
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// dashboardPage is a file that leads a browser to the dashboard, which is served from then on.
func (h home) dashboardPage(ctx context.Context, dir string) (string, error) {
	url, err := dashboard.Find(ctx, h.state, dir)
	if errors.Is(err, dashboard.ErrNone) {
		url, err = h.startDashboard(ctx, dir)
	}
	if err != nil {
		return "", err
	}
	return dashboard.Redirect(h.state, url)
}

// startDashboard has this program serve the dashboard in a session of its own: it outlives the terminal and whoever asked.
func (h home) startDashboard(ctx context.Context, dir string) (url string, err error) {
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("starting the dashboard: %w", err)
	}
	args := []string{"dashboard", "--print"}
	if dir != "" {
		args = append(args, dir)
	}
	cmd := exec.Command(exe, args...)
	cmd.Dir, cmd.Env = "/", append(os.Environ(), "VIVARIUM_HOME="+h.state)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	complaint, err := os.CreateTemp("", "vivarium-dashboard-*") // not a pipe: it outlives us
	if err != nil {
		return "", fmt.Errorf("starting the dashboard: %w", err)
	}
	defer complaint.Close()
	_ = os.Remove(complaint.Name())
	cmd.Stderr = complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", fmt.Errorf("starting the dashboard: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("starting the dashboard: %w", err)
	}
	late := time.AfterFunc(dashboardTime, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		_ = cmd.Wait()
		said := make([]byte, 400)
		n, _ := complaint.ReadAt(said, 0)
		return "", fmt.Errorf("the dashboard does not start%s", words.Prefixed(": ", words.Plain(strings.TrimPrefix(string(said[:n]), "vivarium: "))))
	}
	_ = cmd.Process.Release()
	return strings.TrimSpace(line), nil
}
