<#
.SYNOPSIS
    Checks the workers, deploys the project to them and starts the training: the options of before, for `dtui up`.

.DESCRIPTION
    Run it in the project's folder on the master. Without -WorkerIPs and -WorkersFile it takes configs\nodes.yaml,
    and asks for the workers' addresses when there is none. dtui is installed for this user when it is missing,
    does not start, or is not the one of this checkout. The exit code is that of `dtui up`.

.PARAMETER WorkerIPs
    Addresses of the workers.

.PARAMETER WorkersFile
    A workers.json with IPAddress, ComputerName and GPUCount of each worker.

.PARAMETER SkipDeploy
    Use files and environments as the last deploy left them.

.PARAMETER ConfigFile
    The configuration of the training, seen from the project's folder.

.PARAMETER ProjectPath
    The project's folder on the workers.

.PARAMETER Port
    Port of the rendezvous on the master.

.PARAMETER MoreIPs
    Further addresses: `powershell -File` makes two words of "a, b" without quotes, and the second one gets here.

.EXAMPLE
    powershell -NoProfile -ExecutionPolicy Bypass -File scripts\master_deploy.ps1 -WorkerIPs "192.168.1.101,192.168.1.102"
#>
[CmdletBinding(PositionalBinding = $false)]
param(
    [string[]]$WorkerIPs = @(),
    [string]$WorkersFile = '',
    [switch]$SkipDeploy,
    [string]$ConfigFile = '',
    [string]$ProjectPath = '',
    [ValidateRange(0, 65535)]
    [int]$Port = 0,
    [Parameter(ValueFromRemainingArguments = $true)]
    [string[]]$MoreIPs = @()
)

Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'
$PSDefaultParameterValues = @{}

. (Join-Path $PSScriptRoot 'setup\guard.ps1')
. (Join-Path $PSScriptRoot 'setup\native.ps1')

function Find-NewPython {
    # Returns Python 3.11 or newer, which dtui itself needs. Its path comes in ASCII, whatever the code pages are.
    $script = 'import base64, sys; print(base64.b64encode(sys.executable.encode()).decode() if sys.version_info >= (3, 11) else 0)'
    foreach ($candidate in @('py', 'python', 'python3')) {
        if ($null -eq (Get-Command -Name $candidate -CommandType Application -ErrorAction SilentlyContinue)) {
            continue
        }
        $arguments = @('-c', $script)
        if ($candidate -eq 'py') {
            $arguments = @('-3') + $arguments
        }
        try {
            $answer = @(Invoke-Native -Program $candidate -Arguments $arguments)
            if ($answer.Count -gt 0 -and $answer[-1] -ne '0') {
                return [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String([string]$answer[-1]))
            }
        } catch {
            continue
        }
    }
    throw 'dtui needs Python 3.11 or newer on the master. Install it from python.org and run this again.'
}

function Get-Checkout {
    return (Split-Path -Path $PSScriptRoot -Parent)
}

function Get-CheckoutVersion {
    $project = [IO.File]::ReadAllText((Join-Path (Get-Checkout) 'pyproject.toml'))
    return [regex]::Match($project, '(?m)^version = "([^"]+)"').Groups[1].Value
}

function Get-CheckoutStamp {
    # Tells two states of the checkout apart, also those of one version.
    $files = @(Get-ChildItem -LiteralPath (Get-Checkout) -File | Where-Object { $_.Name -eq 'pyproject.toml' })
    foreach ($folder in @(Get-ChildItem -LiteralPath (Get-Checkout) -Directory)) {
        if (Test-Path -LiteralPath (Join-Path $folder.FullName '__init__.py')) {
            $files += @(Get-ChildItem -LiteralPath $folder.FullName -Recurse -File | Where-Object { $_.Extension -ne '.pyc' })
        }
    }
    [long]$newest = 0
    [long]$bytes = 0
    foreach ($file in $files) {
        $newest = [Math]::Max($newest, [long]$file.LastWriteTimeUtc.Ticks)
        $bytes += $file.Length
    }
    return "$(Get-CheckoutVersion) $($files.Count) $bytes $newest"
}

function Get-DtuiVersion {
    # What the command says, such as `dtui 0.1.0`; empty when it is missing or does not start.
    param([Parameter(Mandatory = $true)][string]$Command)
    if (-not (Test-Path -LiteralPath $Command)) {
        return ''
    }
    try {
        $said = @(Invoke-Native -Program $Command -Arguments @('--version'))
    } catch {
        return ''
    }
    return [string]@($said + '')[0]
}

function Install-Dtui {
    # An environment of dtui's own, from the checkout that this script lies in. Returns the command.
    $folder = Join-Path $env:LOCALAPPDATA 'dtui\app'
    $command = Join-Path $folder 'Scripts\dtui.exe'
    $installed = Join-Path $folder 'checkout.txt'
    $stamp = Get-CheckoutStamp
    $works = [bool](Get-DtuiVersion -Command $command)
    if ($works -and (Test-Path -LiteralPath $installed) -and [IO.File]::ReadAllText($installed) -eq $stamp) {
        return $command
    }
    Write-Host "installing dtui $(Get-CheckoutVersion) in $folder"
    if (Test-Path -LiteralPath $installed) {
        [IO.File]::WriteAllText($installed, '')
    }
    if (-not $works) {
        Invoke-Native -Program (Find-NewPython) -Arguments @('-m', 'venv', '--clear', $folder) | Out-Null
    }
    $own = Join-Path $folder 'Scripts\python.exe'
    Invoke-Native -Program $own -Arguments @('-m', 'pip', 'install', '--quiet', '--upgrade', (Get-Checkout)) | Out-Null
    if (-not (Get-DtuiVersion -Command $command)) {
        throw "dtui was installed in $folder, but does not start: run '$command --version' to see why."
    }
    [IO.File]::WriteAllText($installed, $stamp)
    return $command
}

function Get-Dtui {
    $wanted = "dtui $(Get-CheckoutVersion)"
    $known = @(Get-Command -Name 'dtui' -CommandType Application -ErrorAction SilentlyContinue)
    if ($known.Count -gt 0) {
        $command = [string]$known[0].Source
        $version = Get-DtuiVersion -Command $command
        if ($version -eq $wanted) {
            return $command
        }
        if (-not $version) {
            $version = 'a dtui that does not start'
        }
        Write-Host "not used: $command ($version), since this checkout is $wanted"
    }
    return (Install-Dtui)
}

function Read-Workers {
    # Asks only where nothing else tells which workers there are.
    if ($WorkersFile -or (Test-Path -LiteralPath 'configs\nodes.yaml')) {
        return @()
    }
    $answer = ''
    try {
        $answer = [string](Read-Host -Prompt 'Addresses of the workers, separated by commas')
    } catch [Management.Automation.PSInvalidOperationException] {
        Write-Host 'There is no terminal to ask on.'
    }
    $workers = @(Get-AddressList -Given @($answer))
    if ($workers.Count -eq 0) {
        throw 'Name the workers: -WorkerIPs "192.168.1.101,192.168.1.102", or -WorkersFile workers.json, or write configs\nodes.yaml.'
    }
    return $workers
}

function Get-PathWord {
    # Windows PowerShell puts a word with blanks into quotes, where a \ at the end would escape the last one.
    param([Parameter(Mandatory = $true)][string]$Path)
    if ($Path -match '^([A-Za-z]:)?[\\/]+$') {
        return $Path
    }
    return $Path.TrimEnd('\')
}

function Get-UpArguments {
    # Returns the words of `dtui up` for this script's options. PowerShell 7.5 takes a ~ at the beginning of a word for
    # the home on this machine, so each value is in the word of its option.
    param([string[]]$Workers = @())
    $words = @('up')
    if ($Workers.Count -gt 0) {
        $words += ('--workers' + '=' + ($Workers -join ','))
    }
    if ($WorkersFile) {
        $words += ('--workers-file' + '=' + (Get-PathWord -Path $WorkersFile))
    }
    if ($SkipDeploy) {
        $words += '--skip-deploy'
    }
    if ($ConfigFile) {
        $words += ('--config' + '=' + (Get-PathWord -Path $ConfigFile).Replace('\', '/'))
    }
    if ($ProjectPath) {
        $words += ('--project-path' + '=' + (Get-PathWord -Path $ProjectPath))
    }
    if ($Port -gt 0) {
        $words += ('--port' + '=' + $Port)
    }
    return $words
}

function Invoke-Dtui {
    # dtui reports on stderr. Where that is redirected, Windows PowerShell takes each line for an error; PowerShell 7
    # can be set to do so with an exit code. Neither may end this script: the exit code is dtui's.
    param([Parameter(Mandatory = $true)][string]$Program, [Parameter(Mandatory = $true)][string[]]$Arguments)
    $ErrorActionPreference = 'Continue'
    $PSNativeCommandUseErrorActionPreference = $false
    try {
        & $Program @Arguments
    } catch {
        throw
    }
}

function Invoke-MasterDeploy {
    $workers = @(Get-AddressList -Given (@($WorkerIPs) + @($MoreIPs)))
    if ($workers.Count -gt 0 -and $WorkersFile) {
        throw 'Give -WorkerIPs or -WorkersFile, not both.'
    }
    if ($workers.Count -eq 0) {
        $workers = @(Read-Workers)
    }
    $words = @(Get-UpArguments -Workers $workers)
    $dtui = Get-Dtui
    Write-Host "dtui $($words -join ' ')"
    Invoke-Dtui -Program $dtui -Arguments $words
    exit $LASTEXITCODE
}

# Dot-sourced, the functions can be looked at and tried one by one.
if ($MyInvocation.InvocationName -ne '.') {
    Invoke-MasterDeploy
}
