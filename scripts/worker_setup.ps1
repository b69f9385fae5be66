<#
.SYNOPSIS
    Prepares a Windows GPU machine as a dtui worker: once, as administrator.

.DESCRIPTION
    Opens PowerShell Remoting (WinRM over HTTPS), OpenSSH, or both, and the ports that a distributed run needs, for
    the cluster's addresses only. Keeps the machine awake. Saves what the machine is. Every change is written to a
    journal with its old value first, so that -Undo puts everything back. Running it again changes nothing that is
    right already. -WhatIf shows what would be changed, and changes nothing.

.PARAMETER MasterIP
    Address of the master: the machine that dtui runs on. Without it, the script asks.

.PARAMETER ClusterIPs
    Addresses of all other workers. Ranks connect to each other directly, on ports that the system chooses.

.PARAMETER Rest
    Not to be named. Addresses that stood without quotes after -ClusterIPs, as in: -ClusterIPs 192.168.1.101, 192.168.1.102

.PARAMETER Transport
    ssh, winrm or both: how the master logs in.

.PARAMETER PublicKey
    The master's public SSH key (the line in its id_ed25519.pub), or the path of a file with it.

.PARAMETER DataFolder
    Where the journal and the system information are kept: a new or empty folder. Later runs find it without this.

.PARAMETER Undo
    Puts back everything that earlier runs of this script changed on this machine.

.EXAMPLE
    powershell -NoProfile -ExecutionPolicy Bypass -File scripts\worker_setup.ps1 -MasterIP 192.168.1.100 -ClusterIPs "192.168.1.101,192.168.1.102"
#>
[CmdletBinding(SupportsShouldProcess = $true, PositionalBinding = $false)]
param(
    [string]$MasterIP = '',
    [AllowNull()]
    [string[]]$ClusterIPs = @(),
    [ValidateSet('ssh', 'winrm', 'both')]
    [string]$Transport = 'both',
    [string]$PublicKey = '',
    [string]$DataFolder = '',
    [switch]$Undo,
    [Parameter(ValueFromRemainingArguments = $true)]
    [string[]]$Rest = @()
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$PSDefaultParameterValues = @{}

$Role = 'worker_setup'
$Given = $PSBoundParameters

# Copied without its folder, a script has none of the functions below.
trap {
    if ($null -eq (Get-Command -Name 'Get-AddressList' -ErrorAction SilentlyContinue)) {
        throw 'This script needs the folder "setup" beside it. Copy the whole folder "scripts", or run "dtui worker-script" on the master, which writes one file.'
    }
    break
}

. (Join-Path $PSScriptRoot 'setup\say.ps1')
. (Join-Path $PSScriptRoot 'setup\guard.ps1')
. (Join-Path $PSScriptRoot 'setup\native.ps1')
. (Join-Path $PSScriptRoot 'setup\journal.ps1')
. (Join-Path $PSScriptRoot 'setup\firewall.ps1')
. (Join-Path $PSScriptRoot 'setup\system.ps1')
. (Join-Path $PSScriptRoot 'setup\power.ps1')
. (Join-Path $PSScriptRoot 'setup\remoting.ps1')
. (Join-Path $PSScriptRoot 'setup\openssh.ps1')
. (Join-Path $PSScriptRoot 'setup\machine.ps1')

# What this script may change, in one place: a test holds it against what dtui's preflight expects.
$EffectsJson = @'
{
  "firewall": [
    {"name": "dtui-ssh", "protocol": "TCP", "ports": "22", "transport": "ssh", "purpose": "SSH"},
    {"name": "dtui-winrm", "protocol": "TCP", "ports": "5985-5986", "transport": "winrm", "purpose": "WinRM"},
    {"name": "dtui-rendezvous", "protocol": "TCP", "ports": "29500-29504", "transport": "both", "purpose": "rendezvous"},
    {"name": "dtui-ranks", "protocol": "TCP", "ports": "dynamic", "transport": "both", "purpose": "ranks among each other"},
    {"name": "dtui-ping", "protocol": "ICMPv4", "ports": "", "transport": "both", "purpose": "ping"},
    {"name": "dtui-ping6", "protocol": "ICMPv6", "ports": "", "transport": "both", "purpose": "ping by IPv6"}
  ],
  "closed": [
    {"name": "WINRM-HTTP-In-TCP", "transport": "winrm"},
    {"name": "WINRM-HTTP-In-TCP-NoScope", "transport": "winrm"},
    {"name": "WINRM-HTTP-In-TCP-PUBLIC", "transport": "winrm"},
    {"name": "OpenSSH-Server-In-TCP", "transport": "ssh"}
  ],
  "services": [
    {"name": "WinRM", "start": "Automatic", "transport": "winrm"},
    {"name": "sshd", "start": "Automatic", "transport": "ssh"}
  ],
  "listeners": [
    {"scheme": "HTTPS", "port": 5986, "transport": "winrm"}
  ],
  "registry": [
    {"path": "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\FileSystem", "name": "LongPathsEnabled", "value": 1, "transport": "both"},
    {"path": "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\System", "name": "LocalAccountTokenFilterPolicy", "value": 1, "transport": "winrm"}
  ],
  "power_plan": "8c5e7fda-e8bf-4a96-9a85-a6e23a8c635c",
  "power": [
    {"name": "standby-timeout-ac", "setting": "STANDBYIDLE", "minutes": 0},
    {"name": "hibernate-timeout-ac", "setting": "HIBERNATEIDLE", "minutes": 0}
  ],
  "execution_policy": "RemoteSigned"
}
'@

function Get-Effects {
    return ($EffectsJson | ConvertFrom-Json)
}

function Get-JournalPath {
    return (Join-Path $DataFolder "$Role.journal.jsonl")
}

function Test-Wanted {
    param([Parameter(Mandatory = $true)][string]$For)
    return ($For -eq 'both' -or $Transport -eq 'both' -or $For -eq $Transport)
}

function Get-WantedEffects {
    # The entries of one list that belong to the chosen transport.
    param([Parameter(Mandatory = $true)][string]$List)
    return @((Get-Effects).$List | Where-Object { Test-Wanted -For $_.transport })
}

function Get-ServicePorts {
    # The ports at which the chosen transports are served on this machine.
    $ports = @()
    if (Test-Wanted -For 'ssh') {
        $ports += @((Get-SshdConfig).ports)
    }
    if (Test-Wanted -For 'winrm') {
        $ports += @(5985, 5986)
    }
    return $ports
}

function Get-Rules {
    # The firewall rules that this machine gets.
    param([Parameter(Mandatory = $true)][string[]]$From)
    foreach ($rule in @(Get-PlannedRules -Rules @(Get-WantedEffects -List 'firewall') -From $From)) {
        if ($rule.name -eq 'dtui-ssh') {
            $rule.ports = @((Get-SshdConfig).ports) -join ','
        }
        $rule
    }
}

function Get-StoppedServices {
    # Names of the services that this run would start.
    return @(Get-WantedEffects -List 'services' | ForEach-Object { $_.name } | Where-Object { -not (Test-ServiceRunning -Name $_) })
}

function Close-Now {
    # Narrows what a step opened. When even a second try fails, the services that this run started stop, so that
    # only the cluster reaches them.
    param([Parameter(Mandatory = $true)][int[]]$Ports, [AllowEmptyCollection()][string[]]$Stopped = @())
    try {
        Close-WideRules -Ports $Ports
    } catch {
        $first = $_
        try {
            Close-WideRules -Ports $Ports
        } catch {
            foreach ($name in $Stopped) {
                if (Test-ServiceRunning -Name $name) {
                    Stop-Service -Name $name -Force -ErrorAction Stop
                }
            }
            throw "Rules that let everybody in could not be switched off, so what this run started was stopped again: $(Get-ErrorText $first)"
        }
    }
}

function Set-RemoteAccess {
    # One transport that fails does not keep the other from being set up.
    param(
        [Parameter(Mandatory = $true)][string]$Own,
        [Parameter(Mandatory = $true)][string]$Master,
        [Parameter(Mandatory = $true)][int[]]$Ports,
        [Parameter(Mandatory = $true)]$States,
        [AllowEmptyCollection()][string[]]$Stopped = @(),
        [string]$Key = ''
    )
    if (Test-Wanted -For 'ssh') {
        Invoke-Part -Name 'SSH' -Do {
            # Windows adds a rule for everybody with the server, which does not run yet.
            try {
                Install-SshServer
            } finally {
                Close-Now -Ports $Ports -Stopped $Stopped
            }
            Start-SshServer
            Install-MasterKey -Line $Key
            Write-SshNotes -Key $Key
        }
    }
    if (Test-Wanted -For 'winrm') {
        Invoke-Part -Name 'WinRM' -Do {
            Set-ServiceRunning -Name 'WinRM'
            # Windows enables rules for everybody together with remoting.
            Enable-Remoting -States $States -Close { Close-Now -Ports $Ports -Stopped $Stopped }
            Enable-HttpsListener -Address $Own
            Set-TrustedMaster -Address $Master
        }
    }
}

function Set-SystemNumbers {
    foreach ($number in @(Get-WantedEffects -List 'registry')) {
        Invoke-Part -Name $number.name -Do {
            if ($number.name -eq 'LocalAccountTokenFilterPolicy') {
                if (Test-DomainMember) {
                    Write-Note 'LocalAccountTokenFilterPolicy is left alone: accounts of the domain do not need it.'
                    return
                }
                Write-Note 'LocalAccountTokenFilterPolicy = 1: local administrators keep their rights when they log in over the network. WinRM needs that for local accounts. -Undo takes it back.'
            }
            Set-RegistryNumber -Path $number.path -Name $number.name -Value $number.value
        }
    }
}

function Set-Awake {
    $effects = Get-Effects
    Invoke-Nicety -Name 'power plan' -Do { Set-PowerPlan -Plan $effects.power_plan }
    foreach ($rule in $effects.power) {
        Invoke-Nicety -Name $rule.name -Do { Set-PowerMinutes -Rule $rule }
    }
    Invoke-Nicety -Name 'hibernation' -Do { Set-HibernationOff }
}

function Save-SystemInformation {
    [CmdletBinding(SupportsShouldProcess = $true)]
    param([Parameter(Mandatory = $true)]$Information)
    $path = Join-Path $DataFolder 'system.json'
    if ($PSCmdlet.ShouldProcess($path, 'save system information')) {
        Write-TextFile -Path $path -Text ($Information | ConvertTo-Json -Depth 4)
        Write-Host "  saved in $path"
    }
}

function Get-WinRMChecks {
    param([Parameter(Mandatory = $true)][string]$Own)
    $answers = $null -ne (Test-WSMan -ErrorAction SilentlyContinue)
    [pscustomobject]@{ ok = $answers; text = 'PowerShell Remoting answers (Test-WSMan)' }
    $serving = @(Get-ServingListeners -Address $Own)
    $lasts = $serving.Count -gt 0 -and (Test-CertificateLasts (Get-ShownCertificate $serving[0]) -Days 0)
    [pscustomobject]@{ ok = $lasts; text = "WinRM listens over HTTPS at ${Own}, port $HttpsPort, with a certificate that is valid" }
}

function Show-Checks {
    # Returns whether all is well.
    param(
        [Parameter(Mandatory = $true)]$Information,
        [Parameter(Mandatory = $true)][object[]]$Rules,
        [Parameter(Mandatory = $true)][int[]]$Ports,
        [Parameter(Mandatory = $true)][string]$Own
    )
    $results = @()
    try {
        foreach ($service in @(Get-WantedEffects -List 'services')) {
            $results += [pscustomobject]@{ ok = (Test-ServiceRunning -Name $service.name); text = "service $($service.name) is running (Get-Service $($service.name))" }
        }
        if (Test-Wanted -For 'winrm') {
            $results += @(Get-WinRMChecks -Own $Own)
        }
        $results += @(Get-FirewallChecks -Rules $Rules -Ports $Ports -Python $Information.python)
    } catch {
        $results += [pscustomobject]@{ ok = $false; text = "the checks could not be made: $(Get-ErrorText $_)" }
    }
    $python = "Python 3.9 or newer $($Information.python)"
    if (-not $Information.python) {
        $python = 'Python 3.9 or newer: install it for all users from https://www.python.org/downloads/windows/'
        if ($Information.python_missing) {
            $python += " ($($Information.python_missing))"
        }
    }
    $results += [pscustomobject]@{ ok = ($Information.python -ne ''); text = $python }
    foreach ($result in $results) {
        Write-Result -Good $result.ok -Text $result.text
    }
    Write-PythonNote -Path $Information.python
    if (@($Information.gpus).Count -eq 0) {
        Write-Note 'no NVIDIA GPU answers here: this node would train on its CPU.'
    }
    return (@($results | Where-Object { -not $_.ok }).Count -eq 0)
}

function Get-YamlText {
    # A text as YAML takes it whatever it holds.
    param([AllowEmptyString()][string]$Text = '')
    return "'" + $Text.Replace("'", "''") + "'"
}

function Get-UserName {
    # The account as the master logs in: with its domain, unless it is one of this machine's own.
    $account = [string](Get-HostFacts).Account
    $parts = @($account -split '\\', 2)
    if ($parts.Count -eq 2 -and ($parts[0] -eq $env:COMPUTERNAME -or $parts[0] -eq '')) {
        return $parts[1]
    }
    return $account
}

function Show-NodeBlock {
    param([Parameter(Mandatory = $true)]$Information, [Parameter(Mandatory = $true)][string]$Own)
    $how = 'auto'
    if ($Transport -ne 'both') {
        $how = $Transport
    }
    $fingerprint = ''
    if (Test-Wanted -For 'winrm') {
        $fingerprint = [string](Invoke-Nicety -Name 'certificate of WinRM' -Do { Get-CertificateFingerprint -Address $Own })
    }
    Write-Step 'For the master: paste this under nodes: in configs/nodes.yaml'
    $name = Get-YamlText $env:COMPUTERNAME.ToLowerInvariant()
    $user = Get-YamlText (Get-UserName)
    $python = Get-YamlText ([string]$Information.python)
    Write-Host "  - name: $name"
    Write-Host "    address: '$Own'"
    Write-Host "    transport: $how"
    Write-Host "    user: $user"
    $port = @((Get-SshdConfig).ports)[0]
    if ((Test-Wanted -For 'ssh') -and $port -ne 22) {
        Write-Host "    port: $port"
    }
    if ($Information.python) {
        Write-Host "    python: $python"
    }
    if ($fingerprint) {
        Write-Host '    winrm:'
        Write-Host "      fingerprint: $fingerprint"
    }
    if (Test-Wanted -For 'ssh') {
        $key = Get-HostKeyFingerprint
        Write-Host ''
        if ($key) {
            Write-Host '  dtui shows the host key at the first connection. It must have this fingerprint:'
            Write-Host "  $key" -ForegroundColor Yellow
        } else {
            Write-Host '  This machine has no SSH host key of the type ed25519 yet: sshd makes it at its first start.'
        }
    }
}

function Read-Master {
    # The old guide starts this script without arguments.
    try {
        $answer = [string](Read-Host -Prompt 'Address of the master (the machine that dtui runs on)')
    } catch {
        $answer = ''
    }
    if (-not $answer.Trim()) {
        throw 'Name the master: -MasterIP 192.168.1.100. The firewall admits only the cluster.'
    }
    return $answer
}

function Get-Master {
    # The one address of the master.
    $text = $MasterIP
    if (-not $text.Trim()) {
        $text = Read-Master
    }
    $addresses = @(Get-AddressList -Given $text)
    if ($addresses.Count -ne 1) {
        throw "-MasterIP is one address, and '$text' has $($addresses.Count). The other workers belong to -ClusterIPs."
    }
    return $addresses[0]
}

function Invoke-WorkerSetup {
    Assert-Host -Given $Given -Script $PSCommandPath
    $DataFolder = Resolve-DataFolder -Given $DataFolder
    if ($Undo) {
        Write-Step 'Putting back what this script changed'
        Invoke-Undo
        Remove-RestOfGroup -Journals (Get-AllJournals)
        return
    }
    Assert-AddressesOnly -Rest $Rest
    $master = Get-Master
    $others = @(Get-AddressList -Given (@($ClusterIPs) + @($Rest)))
    $cluster = @(@($master) + $others | Select-Object -Unique)
    $key = Get-MasterKey -Given $PublicKey
    $own = Get-OwnAddress -Toward $master
    $ports = @(Get-ServicePorts)
    $rules = @(Get-Rules -From $cluster)
    Assert-Firewall
    $Progress.step = 'reading the rules and services of this machine'
    try {
        # Read before anything is changed: what can't be seen can't be narrowed.
        $states = Get-RuleStates
        $stopped = @(Get-StoppedServices)
        Get-WideRules -Ports $ports | Out-Null
    } catch {
        throw (Get-FailureText $_)
    }
    foreach ($name in $states.Keys) {
        $Before[$name] = $states[$name]
    }
    Initialize-DataFolder -Path $DataFolder
    if ($others.Count -eq 0) {
        Write-Note "no -ClusterIPs: the ports of training stay closed to other workers. With several workers, name them all and run this again."
    }
    Write-SessionNote -Cluster $cluster
    try {
        try {
            Write-Step "Firewall, from $($cluster -join ', ') only"
            foreach ($rule in $rules) {
                Set-ClusterRule -Rule $rule -From $rule.from
            }
            Close-Now -Ports $ports -Stopped $stopped
            Write-Step 'Remote access'
            Set-RemoteAccess -Own $own -Master $master -Ports $ports -States $states -Stopped $stopped -Key $key
        } finally {
            Close-Now -Ports $ports -Stopped $stopped
        }
    } catch {
        throw (Get-FailureText $_)
    }
    Write-Step 'System'
    Set-SystemNumbers
    Invoke-Nicety -Name 'execution policy' -Do { Set-MachinePolicy -Value (Get-Effects).execution_policy }
    Set-Awake
    Write-Step 'System information'
    $information = Get-SystemInformation
    Invoke-Nicety -Name 'system information' -Do { Save-SystemInformation -Information $information }
    $good = $true
    if (-not $WhatIfPreference) {
        Write-Step 'Checks'
        $good = Show-Checks -Information $information -Rules $rules -Ports $ports -Own $own
    }
    Show-NodeBlock -Information $information -Own $own
    if ($WhatIfPreference) {
        Write-Note 'this was a look ahead: nothing was changed, and the checks are made by a real run.'
        return
    }
    if (-not $good -or $Progress.failed.Count -gt 0) {
        Write-Host ''
        foreach ($text in $Progress.failed) {
            Write-Result -Good $false -Text $text
        }
        Write-Host 'Something above is red: put it right and run this again. What is done is not done twice; -Undo takes it all back.' -ForegroundColor Yellow
        exit 1
    }
}

# Dot-sourced, the functions can be looked at and tried one by one.
if ($MyInvocation.InvocationName -ne '.') {
    Invoke-WorkerSetup
}
